"""Classify short texts: python examples/text.py train.csv hf:sentence-transformers/all-MiniLM-L6-v2

The table has a column of texts and one of labels. Any text network of Transformers does, by hub id or local folder.
"""

import sys

import icecore

table, backbone = sys.argv[1:]

model = icecore.fit(table, backbone=backbone, head="logistic", folds=3, repeats=1)
for target in model.report.targets:
    print(f"{target.name}: accuracy {target.metrics['accuracy'].value:.3f}")
    for name, baseline in target.baselines.items():
        print(f"  {name}: {baseline['accuracy'].value:.3f}")

for prediction in model.predict(["I lost my card", "what is the rate of exchange today"]):
    print(f"{prediction.input!r} is {prediction.label} ({prediction.probability:.2f})")

vectors = model.net.extract_features(["a text", "another one"], progress=False)["last"]
print("vectors of shape", vectors.shape)
