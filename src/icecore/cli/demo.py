"""`icecore demo`: the whole job in a minute, without a network connection."""

from __future__ import annotations

import tempfile
from pathlib import Path

from icecore.cli import options
from icecore.cli.fit import show
from icecore.cli.output import print_json, say, table

BACKBONE = "icecore:vision-s@random"


def demo(json: options.Json = False) -> None:
    """Run the whole job on made-up pictures: extract, choose, fit, evaluate, predict, and do it again for nothing."""
    from icecore import api

    folder = Path(tempfile.mkdtemp(prefix="icecore-demo-"))
    pictures = api.write_digits(folder / "digits")
    out, store = folder / "digits.icecore", folder / "store"
    if not json:
        say(f"Wrote 200 pictures of handwritten digits on clutter, 20 a class, to {pictures}")
        say(f"Backbone {BACKBONE}: an untrained network with seeded random weights; expect little of it.", "")
    model = api.fit(pictures, backbone=BACKBONE, out=out, store=store, progress=not json)
    again = api.fit(pictures, backbone=BACKBONE, head="logistic", store=store, progress=not json)
    if json:
        print_json(model.report.to_json() | {"second_extraction": again.report.to_json()["extraction"]})
        return
    show(model, out)
    say("", "Three pictures (of those it was trained on):")
    some = [pictures / str(label) / "000.png" for label in (2, 5, 8)]
    table(("input", "label", "probability"), [(p.input, p.label, f"{p.probability:.3f}") for p in model.predict(some)])
    spent = again.report.extraction
    say("", f"A second fit, with another head: {spent.computed} computed, {spent.reused} reused, {spent.seconds:.2f} s")
    say(
        "",
        "Try next, with a network that has been trained:",
        f"  icecore fit {pictures} --backbone timm:resnet18.a1_in1k --out digits.icecore",
        f"  icecore inspect {out}",
        "  icecore backbones",
    )
