"""`--task` and `--order` on the command line."""

import csv

import numpy as np
import pytest

from tests.small import BACKBONE, picture


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Pictures with a number, labels and a grade for each."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("mixed")
    with (folder / "mixed.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "price", "tags", "grade"])
        for i in range(24):
            name = ("blue", "green", "red")[i % 3]
            picture(name, rng).save(folder / f"{i}.png")
            price = {"blue": 1.25, "green": 2.5, "red": 8.75}[name]
            grade = {"blue": "low", "green": "mid", "red": "high"}[name]
            writer.writerow(
                [f"{i}.png", price, "|".join(["cold"] * (name != "red") + ["grass"] * (name == "green")) or "[]", grade]
            )
    return folder / "mixed.csv"


def test_fit_predict_and_evaluate_every_task(shell, mixed):
    """All at once; what was guessed is said; figures, tables, JSON and files say what each task says."""
    words = ("--input-col", "path", "-b", BACKBONE, "--head", "ridge", "--repeats", 1, "--folds", 3)
    targets = ("-t", "price", "-t", "tags", "-t", "grade", "--task", "tags=multilabel", "--order", "grade=low,mid,high")
    done = shell("fit", mixed, *words, *targets, "--out", "m")
    assert done.status == 0, done.err
    assert "Note: 'price' holds numbers, so a number is predicted" in done.err
    for line in (
        "price: a number",
        "tags: 2 labels, several a row",
        "grade: 3 classes in order",
        "mean average precision",
    ):
        assert line in done.out
    assert "95 % of new values lie within" in done.out
    shown = shell("predict", "m", mixed.parent / "2.png").out
    assert "input" in shown
    assert "95 % interval" in shown
    found = shell("predict", "m", mixed.parent / "1.png", "--json").json["predictions"][0]
    assert set(found["price"]) == {"value", "low", "high", "familiarity"}
    assert found["tags"]["labels"] == ["cold", "grass"]
    assert found["grade"]["label"] == "mid"
    assert shell("predict", "m", mixed.parent / "1.png", "--out", "p.csv").status == 0
    with (shell.folder / "p.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["tags.labels"] == "cold;grass"
    assert float(row["price.low"]) < float(row["price.value"])
    judged = shell("evaluate", "m", mixed, "--input-col", "path", "--json").json["metrics"]
    assert set(judged["grade"]) == {"mae", "quadratic_weighted_kappa", "accuracy", "log_loss"}
    about = shell("inspect", "m").out
    assert "predicts a number" in about
    assert "labels, several a row: cold, grass" in about
    assert "classes, the lowest first: low, mid, high" in about
    assert "price: numbers from 1.25 to 8.75" in shell("inspect", mixed, "-t", "price", "--input-col", "path").out


def test_mistakes_are_told(shell, mixed):
    """A task that there is not; an order of numbers; a metric is never shown for the wrong task."""
    words = ("fit", mixed, "--input-col", "path", "-b", BACKBONE, "-t", "price")
    assert "There is no task 'regressoin'" in shell(*words, "--task", "regressoin").err
    assert "whose task is regression" in shell(*words, "--task", "regression", "--order", "1,2").err
    assert "There are no classes to balance" in shell(*words, "--balanced").err
