"""`icecore demo`: the whole job in a minute, without a network connection."""

from __future__ import annotations

import tempfile
from pathlib import Path

from icecore.cli import options
from icecore.cli.fit import show
from icecore.cli.output import print_json, say, table

BACKBONE = "icecore:vision-s"
UNTRAINED = "icecore:vision-s@random"


def demo(json: options.Json = False) -> None:
    """Run the whole job on made-up pictures: extract, choose, fit, evaluate, predict, and do it again for nothing."""
    from icecore import api

    folder = Path(tempfile.mkdtemp(prefix="icecore-demo-"))
    pictures, new = api.write_digits(folder / "digits"), api.write_digits(folder / "new", per_class=1, seed=1)
    out, store = folder / "digits.icecore", folder / "store"
    count = sum(1 for _ in pictures.glob("*/*.png"))
    if not json:
        say(f"Wrote {count} pictures of handwritten digits on clutter, {count // 10} a class, to {pictures}")
        say(f"Fitting twice: on {BACKBONE}, the bundled network, and on the same network with random weights.", "")
    model = api.fit(pictures, backbone=BACKBONE, out=out, store=store, progress=not json)
    untrained = api.fit(pictures, backbone=UNTRAINED, store=store, progress=not json)
    again = api.fit(pictures, backbone=BACKBONE, head="logistic", store=store, progress=not json)
    random_weights = untrained.report.targets[0].metrics
    if json:
        more = {
            "random_weights": api.as_json(random_weights),
            "second_extraction": api.as_json(again.report.extraction),
        }
        print_json(model.report.to_json() | more)
        return
    show(model, out, {"random weights": random_weights})
    say("", "Three pictures that the model has not seen, each in the folder of its digit:")
    some = [new / str(label) / "000.png" for label in (2, 5, 8)]
    rows = [(str(Path(p.input).relative_to(folder)), p.label, f"{p.probability:.3f}") for p in model.predict(some)]
    table(("input", "label", "probability"), rows)
    spent = again.report.extraction
    say("", f"A second fit, with another head: {spent.computed} computed, {spent.reused} reused, {spent.seconds:.2f} s")
    say(
        "",
        "Try next:",
        f"  icecore predict {out} {new}",
        f"  icecore inspect {out}",
        "  icecore fit YOUR_PHOTOS --out mine.icecore      one folder of photographs a class",
        "  icecore backbones                               larger networks, for --backbone",
    )
