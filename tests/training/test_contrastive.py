"""The contrastive phase: pairs of labelled items, then the head, then training as it is otherwise."""

import json

import numpy as np
import pytest
import torch

from icecore import TransferModel
from icecore.errors import TrainingError, UsageError
from icecore.features import Silent
from icecore.training.contrastive import pairs_of, supervised_contrastive
from tests.texts import write_network as write_texts
from tests.training.test_interrupted import StopAt, StopError
from tests.tuning import FAST, accuracy, fitted, network, orders

ALONE = {**FAST, "epochs": 0, "contrastive": 8, "learning_rate": 0.15, "unfreeze": 2}
STARTS = ("my card is lost", "where is my refund")
ENDS = ("please", "today", "i will", "help", "one two", "it is late", "when", "again", "three", "ten nine")
TEXTS = [f"{start} {end}" for start in STARTS for end in ENDS]


class Tasks(Silent):
    """Notes what is done."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def task(self, label: str, total: int):
        self.begun.append(label)
        return super().task(label, total)


def test_pairs_are_of_one_class():
    """Never of an item with itself, and of the rows alone; the only item of its class has no partner."""
    codes = np.array([0, 1, 1, 2, 0, 0])
    rows = np.array([0, 1, 2, 3, 5])
    first, second = pairs_of(codes, rows, 6, np.random.default_rng(0)).T
    assert (first != second).all()
    np.testing.assert_array_equal(codes[first], codes[second])
    assert {i: int((first == i).sum()) for i in rows.tolist()} == {0: 6, 1: 6, 2: 6, 3: 0, 5: 6}
    assert set(second.tolist()) <= set(rows.tolist())


def test_the_loss_is_that_of_the_paper():
    """Against the formula written out (Khosla et al. 2020, equation 2); an item without a partner only tells others."""
    vectors, codes = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 1, 1, 1, 2])
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    each = []
    for i in range(5):
        others = [j for j in range(6) if j != i]
        total = sum(torch.exp(unit[i] @ unit[j] / 0.1) for j in others)
        logs = [torch.log(torch.exp(unit[i] @ unit[j] / 0.1) / total) for j in others if codes[j] == codes[i]]
        each.append(-sum(logs) / len(logs))
    found = supervised_contrastive(vectors, codes)
    assert float(found) == pytest.approx(float(sum(each) / 5), rel=1e-5)
    assert float(supervised_contrastive(vectors, torch.arange(6))) == 0.0


def test_pairs_alone_teach_the_network(tmp_path):
    """With no epochs the head is fitted on what the phase left, and tells classes that frozen features cannot tell."""
    X, y = orders(40)
    model = fitted(X, y, store=tmp_path, net=network())
    report = model.fine_tune(X, y, **ALONE)
    assert report.adopted
    assert accuracy(report)[0] > 0.9
    (phase,) = report.log
    assert (phase.number, report.epochs) == (0, 0)
    assert set(phase.learning_rates) == {"blocks.1", "blocks.2"}
    assert report.seconds["suffix"] > 0


def test_without_epochs_any_head_stays_what_it_is(tmp_path):
    """A head that is no layers is fitted on the tuned features and kept; loaded, it predicts the same."""
    X, y = orders(20)
    model = fitted(X, y, store=tmp_path / "store", net=network(blind=False), head="knn")
    model.fine_tune(X, y, **{**ALONE, "keep": True})
    saved = model.save(tmp_path / "m", include_backbone=False)
    (target,) = json.loads((saved / "manifest.json").read_text("utf-8"))["targets"]
    assert "knn" in target["chosen"]["head"]
    assert target["chosen"]["because"] == "Fine-tuned from blocks.1 on, a contrastive phase and 0 epochs."
    assert set(model.predict(X).probabilities.ravel().round(3)) != {0.5}


def test_training_goes_on_after_the_pairs(model, pictures, new, tmp_path):
    """The log has the phase and then the epochs; saved and loaded, the model predicts the same."""
    report = model.fine_tune(pictures, **{**ALONE, "epochs": 2, "keep": True, "lora": 2, "learning_rate": 1e-2})
    assert [epoch.number for epoch in report.log] == [0, 1, 2]
    loaded = TransferModel.load(model.save(tmp_path / "m"), store=tmp_path / "store")
    np.testing.assert_allclose(loaded.predict(new).probabilities, model.predict(new).probabilities, atol=1e-5)


def test_a_seed_gives_the_same_and_the_users_draws_are_left_alone(tmp_path):
    """The same seed, the same weights; torch's own generator is not touched."""
    X, y = orders(15)
    found = []
    for seed in (0, 0, 1):
        model = fitted(X, y, store=tmp_path, net=network())
        before = torch.get_rng_state()
        model.fine_tune(X, y, **{**ALONE, "keep": True, "seed": seed})
        assert torch.equal(torch.get_rng_state(), before)
        found.append(model.net.backbone.module.blocks[2].conv2.weight)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_interrupted_later_the_pairs_are_not_done_again(tmp_path):
    """A training that was cut off in its second epoch goes on from there, and comes to the same."""
    X, y = orders(15)
    options = {**ALONE, "epochs": 3, "keep": True, "learning_rate": 1e-2}
    whole, broken = (fitted(X, y, store=tmp_path / name, net=network()) for name in ("a", "b"))
    whole.fine_tune(X, y, **options)
    with pytest.raises(StopError):
        broken.fine_tune(X, y, **{**options, "progress": StopAt("epoch 2 of")})
    told = Tasks()
    report = broken.fine_tune(X, y, **{**options, "progress": told})
    assert not [label for label in told.begun if "pairs" in label]
    assert [epoch.number for epoch in report.log] == [0, 1, 2, 3]
    np.testing.assert_allclose(broken.predict(X).probabilities, whole.predict(X).probabilities, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "gpt2", "sentence"])
def test_texts_of_several_lengths(name, tmp_path):
    """Networks that pad, and one that takes texts of one length at a time."""
    y = [text.split()[0] for text in TEXTS]
    model = fitted(TEXTS, y, store=tmp_path / "s", net=f"hf:{write_texts(name, tmp_path / name)}")
    report = model.fine_tune(TEXTS, y, **{**ALONE, "keep": True, "learning_rate": 1e-2, "unfreeze": "all"})
    assert report.log[0].loss < np.log(15)  # of one who guesses among the others of a step


def test_settings_that_do_not_go_together_are_told(model, pictures):
    """Nothing at all, and pairs while the cut moves down."""
    for options, said in (
        ({"epochs": 0}, "epochs is 0"),
        ({"contrastive": 2, "gradual": True}, "A contrastive phase trains all that is unfrozen at once"),
    ):
        with pytest.raises(UsageError, match=said):
            model.fine_tune(pictures, **options)


def test_a_rate_that_is_too_high_is_told(model, pictures, tmp_path):
    """A loss that is not finite stops with a sentence, and the model is as it was."""
    before = model.predict(pictures).probabilities
    with pytest.raises(TrainingError, match=r"The loss of pairs became nan, its gradient nan, at a learning rate of"):
        model.fine_tune(pictures, **{**ALONE, "learning_rate": 9.9, "weight_decay": 1e38})
    np.testing.assert_array_equal(model.predict(pictures).probabilities, before)


def test_the_command_takes_pairs(saved, pictures, shell):
    """`--contrastive 4 --epochs 0`."""
    words = ["--contrastive", 4, "--epochs", 0, "--keep", "--folds", 1, "--json"]
    found = shell("fine-tune", saved, pictures, *words).json
    assert (found["adopted"], found["epochs"]) == (True, 0)
