"""Prediction sets, comparison, calibration and the learning curve from the shell."""

import csv
import json

import pytest

from tests.api.pictures import BUNDLED, write_some


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_some(tmp_path_factory.mktemp("digits") / "digits", 12)


def test_sets_and_comparison(shell, digits, tmp_path):
    """`fit --learning-curve`, `predict --coverage` in table, JSON and files, and `compare` with and without data."""
    store = ("--store", tmp_path / "store")
    for head, out in (("ridge", "a"), ("centroid", "b")):
        done = shell(
            "fit", digits, "-b", BUNDLED, "--head", head, "--repeats", 1, "--out", out, *store, "--learning-curve"
        )
        assert done.status == 0, done.err
        assert "twice the labels (72): " in done.out
    found = shell("predict", "a", digits / "1", "--coverage", 0.8, *store, "--json").json["predictions"]
    assert set(found[0]) == {"label", "probability", "probabilities", "input", "set", "familiarity"}
    assert isinstance(found[0]["set"], list)
    shown = shell("predict", "a", digits / "1", "--coverage", 0.8, *store)
    assert shown.out.splitlines()[0].split("  ")[-1].strip() == "cannot be ruled out"
    shell("predict", "a", digits / "1", "--coverage", 0.8, *store, "--out", "p.csv")
    with (tmp_path / "p.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["set"] for row in rows] == [";".join(one["set"]) for one in found]
    assert float(rows[0]["familiarity"]) == found[0]["familiarity"]
    shell("predict", "a", digits / "1", *store, "--out", "p.jsonl")
    first = json.loads((tmp_path / "p.jsonl").read_text("utf-8").splitlines()[0])
    assert "familiarity" in first
    assert "set" not in first
    compared = shell("compare", "a", "b", *store, "--json").json
    assert list(compared) == ["models", "measure", "metrics", "difference", "better", "items", "said", "where", "notes"]
    assert (compared["models"], compared["items"]) == (["a", "b"], 36)
    on_data = shell("compare", "a", "b", digits, *store)
    assert "a was fitted on 36 of these items" in on_data.err
    assert "on 36 items" in on_data.out
    assert shell("predict", "a", digits / "1", "--coverage", 0.99, *store).status == 2


def test_an_unknown_calibration_is_told(shell, digits):
    """Before any work, with what there is."""
    done = shell("fit", digits, "-b", BUNDLED, "--calibrate", "temperatur")
    assert done.status == 2
    assert "Did you mean temperature" in done.err
