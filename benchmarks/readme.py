"""README's section on speed, written from the results of whole runs that lie in benchmarks/results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN = "<!-- begin: written by `python benchmarks/readme.py` -->"
END = "<!-- end -->"


def section(results: Path = RESULTS) -> str:
    """The text between the two marks."""
    parts = [part for name, say in _SAYS.items() if (found := _read(results / f"{name}.json")) for part in say(found)]
    return "\n\n".join(parts)


def rewritten(text: str, new: str) -> str:
    """README with another section between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{new}\n\n{END}{after}"


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def _extraction(found: Mapping[str, Any]) -> Iterator[str]:
    machine = found["machine"]
    yield (
        f"From files to features on disk, choosing and making an engine included, in {machine['cores']} cores "
        f"({machine['processor']}, {machine['threads']} threads each side), against the fastest usual loop of other "
        "libraries in the same run, at the batch size (4 or 32) and number of loading processes that suit it best "
        "(`benchmarks/extraction.py`; weights are random, but for MiniLM's):"
    )
    yield "\n".join(_extraction_table(found))
    yield from _probes(found["networks"])


def _extraction_table(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| network | usual loop | icecore, float32 | icecore, bfloat16 |"
    yield "|---|---|---|---|"
    for name, one in found["networks"].items():
        rates = {side: one["items"] / seconds for side, seconds in one["medians"].items()}
        ours = (f"icecore, {precision}" for precision in ("float32", "bfloat16"))
        cells = (f"{one['ratios'][side]:.1f} × ({_rate(rates[side])})" for side in ours)
        yield f"| {name}, {one['items']:,} items | {one['usual']}, {_rate(rates[one['usual']])} | {' | '.join(cells)} |"
    means = found["geometric_means"]
    yield f"| geometric mean | | {means['float32']:.1f} × | {means['bfloat16']:.1f} × |"


def _rate(each: float) -> str:
    return f"{each:,.0f}/s" if each >= 100 else f"{each:.3g}/s"


def _probes(networks: Mapping[str, Any]) -> Iterator[str]:
    """Whether the features are worth the same, over all networks."""
    same = [one["same"] for network in networks.values() for one in network["probes"].values()]
    if same and all(same):
        yield "The accuracy of a linear probe on them is the same within its interval, in each row and precision."


def _engines(found: Mapping[str, Any]) -> Iterator[str]:
    rates = [one for one in found["rates"]["resnet50"] if one["precision"] == "bfloat16"]
    best = max(rates, key=lambda one: one["items_per_second"])
    yield (
        f"The engine alone: {best['engine']} runs resnet50 in bfloat16 at {best['gflops']:.0f} GFLOP/s, "
        f"{best['of_machine']:.0%} of what the machine's own matrix product reaches (`benchmarks/engines.py`)."
    )


def _second_run(found: Mapping[str, Any]) -> Iterator[str]:
    ours = found["runs"]["icecore"]
    second, new = ours["second run"], ours["1 % new"]
    yield (
        f"A second run over {second['photographs']:,} photographs takes {second['seconds']:.2f} s, "
        f"{found['second_run_speedup']:.0f} times less than the first; with 1 % new ones {new['seconds']:.2f} s, "
        f"{new['of_first']:.1%} of the first (`benchmarks/second_run.py`)."
    )


def _fine_tuning(found: Mapping[str, Any]) -> Iterator[str]:
    machine = found["machine"]
    yield (
        f"Fine-tuning the last blocks of a network of 12 for {found['epochs']} epochs on {found['items']} items, the "
        "pass of the frozen part included, against the faster of a plain PyTorch loop and the Transformers Trainer, "
        f"all in {machine['threads']} thread ({machine['processor']}, `benchmarks/fine_tuning.py`); accuracies are "
        "the same within their intervals:"
    )
    least: dict[tuple[str, int], dict[str, float]] = {}
    for one in found["comparisons"]:
        row = least.setdefault((one["network"], one["unfrozen"]), {})
        row[one["setting"]] = min(one["ratio"], row.get(one["setting"], one["ratio"]))
    settings = list(dict.fromkeys(one["setting"] for one in found["comparisons"]))
    lines = [
        f"| {net}, last {k} | {' | '.join(f'{row[s]:.1f} ×' for s in settings)} |" for (net, k), row in least.items()
    ]
    yield "\n".join([f"| network | {' | '.join(settings)} |", f"|---|{'---|' * len(settings)}", *lines])


_SAYS = {"extraction": _extraction, "engines": _engines, "second_run": _second_run, "fine_tuning": _fine_tuning}


def main() -> None:
    """Write it."""
    readme = ROOT / "README.md"
    readme.write_text(rewritten(readme.read_text("utf-8"), section()), "utf-8")


if __name__ == "__main__":
    main()
