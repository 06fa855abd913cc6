"""README says what the committed results of the benchmarks say."""

import json

from benchmarks.readme import BEGIN, END, RESULTS, rewritten, section
from tests.imports import ROOT


def test_readme_says_what_the_results_say():
    """Its section on speed is what `benchmarks/readme.py` writes now."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert rewritten(text, section()) == text


def test_results_are_of_whole_runs():
    """A small run is no result."""
    found = [json.loads(path.read_text("utf-8")) for path in RESULTS.glob("*.json")]
    assert all(one["full"] and one["machine"]["versions"] for one in found)


def test_results_become_a_table(tmp_path):
    """A row a network with the usual loop and both precisions, and the geometric means."""
    one = {
        "items": 100, "usual": "timm", "medians": {"timm": 10.0, "icecore, float32": 5.0, "icecore, bfloat16": 2.0},
        "ratios": {"timm": 1.0, "icecore, float32": 2.0, "icecore, bfloat16": 5.0}, "probes": {},
    }  # fmt: skip
    found = {
        "machine": {"cores": 2, "processor": "one", "threads": 2}, "networks": {"net": one},
        "geometric_means": {"float32": 2.0, "bfloat16": 5.0},
    }  # fmt: skip
    (tmp_path / "extraction.json").write_text(json.dumps(found), "utf-8")
    lines = section(tmp_path).splitlines()
    assert "| net, 100 items | timm, 10/s | 2.0 × (20/s) | 5.0 × (50/s) |" in lines
    assert lines[-1] == "| geometric mean | | 2.0 × | 5.0 × |"
