"""Sounds: YAMNet's features of a folder of sound files, a small classifier on them, and what it says of new files.

    python examples/sound.py esc10/ yamnet_spectra_in.tflite dog.ogg

YAMNet in TFLite takes log-mel patches; `yamnet/preprocess.json` beside this script says how they are made.
"""

import sys
from pathlib import Path

import icecore

FRONT_END = Path(__file__).parent / "yamnet" / "preprocess.json"


def main(folder: str, network: str, *new: str) -> None:
    """Fit on class folders of sounds, and predict new files."""
    net = icecore.PretrainedModel.load(f"tflite:{network}", preprocess=FRONT_END)
    model = icecore.TransferModel(net, head="logistic").fit(folder)
    report = model.report.targets[0]
    print(f"accuracy {report.metrics['accuracy'].value:.3f}, {report.evaluation}")
    for prediction in model.predict(list(new)) if new else ():
        print(f"{prediction.input}: {prediction.label} ({prediction.probability:.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
