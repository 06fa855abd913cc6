"""Classify photographs: python examples/image.py photos/ hf:mobilenet_v2 new/a.jpg new/b.jpg

The folder holds one folder of photographs for each class. Any image network does, by id or local folder.
"""

import sys

import icecore

folder, backbone, *new = sys.argv[1:]

model = icecore.fit(folder, backbone=backbone, head="logistic", folds=3, repeats=1)
for target in model.report.targets:
    print(f"{target.name}: accuracy {target.metrics['accuracy'].value:.3f}, {target.evaluation}")
    for name, baseline in target.baselines.items():
        print(f"  {name}: {baseline['accuracy'].value:.3f}")

for prediction in model.predict(new) if new else ():
    print(f"{prediction.input} is {prediction.label} ({prediction.probability:.2f})")

features = model.net.extract_features(folder, layers=["last", -1], progress=False)
for layer in features.layers:
    print(f"{layer}: vectors of shape {features[layer].shape}")
