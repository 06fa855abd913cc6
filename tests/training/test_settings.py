"""Every setting does what it says."""

import numpy as np
import pytest
import torch

import icecore
from tests.small import BACKBONE
from tests.sounds import write_tones
from tests.tuning import FAST, fitted, network, orders, write_orders

CALM = {**FAST, "epochs": 2, "unfreeze": 2, "keep": True, "dropout": 0.0, "average": 0.0, "batch_size": 4}


@pytest.fixture
def tune(tmp_path):
    """Tunes a frozen model of 20 pictures. Returns the report and the weights."""
    X, y = orders(10)
    frozen = fitted(X, y, store=tmp_path / "store", net=network(blind=False))

    def tuned(**options):
        model = fitted(X, y, store=tmp_path / "store", net=frozen.net)
        report = model.fine_tune(X, y, **{**CALM, **options})
        return report, {name: value.numpy() for name, value in model.net.backbone.module.state_dict().items()}

    return tuned


def apart(one, other) -> float:
    """The largest difference of two sets of weights."""
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def test_a_seed_gives_the_same_weights(tune):
    """The same seed, the same weights, also with dropout and mixup; another seed, others."""
    options = {"dropout": None, "mixup": 0.4, "average": 0.9}
    (_, one), (_, again), (_, other) = tune(**options), tune(**options), tune(**options, seed=1)
    assert apart(one, again) == 0
    assert apart(one, other) > 1e-4


def test_the_users_own_draws_are_left_alone(tune):
    """Training does not seed or advance torch's generator."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    tune()
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    "changed",
    [
        {"learning_rate": 5e-3}, {"layer_decay": 0.3}, {"weight_decay": 5.0}, {"warmup": 0.6}, {"label_smoothing": 0.4},
        {"mixup": 0.5}, {"dropout": 0.5}, {"dropout": None}, {"average": 0.9}, {"batch_size": 5}, {"accumulate": 2},
        {"epochs": 3, "patience": 0}, {"views": 4}, {"train_norm": True}, {"gradual": True},
    ],
)  # fmt: skip
def test_every_setting_changes_the_weights(tune, changed):
    """What is set has an effect."""
    assert apart(tune()[1], tune(**changed)[1]) > 1e-5


def test_accumulated_batches_make_one_step(tune):
    """Two batches of four are one of eight, the last of seven. (AdamW makes whole steps of a gradient that is zero but
    for rounding: those of a few weights.)
    """
    calm = {"learning_rate": 1e-3, "epochs": 4}
    one, two = tune(**calm, batch_size=8)[1], tune(**calm, batch_size=4, accumulate=2)[1]
    differ = np.concatenate([np.abs(one[name] - two[name]).ravel() for name in one if "blocks" in name])
    assert np.quantile(differ, 0.99) < 1e-4
    assert apart(one, tune(**calm, batch_size=4)[1]) > 1e-3


def test_norms_keep_their_statistics_unless_they_are_told_to_follow(tune):
    """The statistics of a batch norm move with `train_norm`, and only with it; its scale and shift learn either way."""
    still, moved, before = tune()[1], tune(train_norm=True)[1], network(blind=False).backbone.module.state_dict()
    for name in ("running_mean", "running_var"):
        np.testing.assert_array_equal(still[f"blocks.2.norm.{name}"], before[f"blocks.2.norm.{name}"])
        assert np.abs(moved[f"blocks.2.norm.{name}"] - before[f"blocks.2.norm.{name}"].numpy()).max() > 1e-6, name
    for name in ("weight", "bias"):
        assert np.abs(still[f"blocks.2.norm.{name}"] - before[f"blocks.2.norm.{name}"].numpy()).max() > 1e-6, name
    assert np.abs(moved["blocks.0.norm.running_mean"]).max() == 0  # below the cut


def test_convolutions_in_blocks_named_after_a_norm_are_trained():
    """torchvision's `Conv2dNormActivation` holds convolutions: it is no norm, and its weights learn."""
    from icecore.prefix import Cutter

    net = icecore.PretrainedModel.load("torchvision:mobilenet_v2@random", device="cpu")
    _, suffix = Cutter(net.backbone).before("features.18")
    assert {type(part).__name__ for part in suffix.norms()} == {"BatchNorm2d"}


def test_learning_rates_fall_by_block_and_along_a_cosine(tune):
    """The log has the rate of each block: less below by the layer decay, nothing at the end; warm-up rises first."""
    report, _ = tune(layer_decay=0.5, epochs=4, patience=0, warmup=0.5, batch_size=4)
    rates = [epoch.learning_rates for epoch in report.log]
    for rate in rates:
        assert rate["blocks.1"] == pytest.approx(0.5 * rate["blocks.2"])
        assert rate["head"] == rate["blocks.2"]
    last = [rate["head"] for rate in rates]
    assert last[0] < last[1] == pytest.approx(1e-2)  # the end of half of the steps
    assert last[1] > last[2] > last[3]
    assert last[3] < 1e-3


def test_gradual_begins_with_the_last_block(tune):
    """The cut moves down: half of the epochs with the last block alone, then both; as many in all."""
    report, _ = tune(gradual=True, epochs=4, patience=0)
    trained = [sorted(epoch.learning_rates) for epoch in report.log]
    assert trained == [["blocks.2", "head"]] * 2 + [["blocks.1", "blocks.2", "head"]] * 2
    assert [epoch.number for epoch in report.log] == [1, 2, 3, 4]
    assert report.unfrozen == ("blocks.1", "blocks.2")


def test_patience_stops_and_none_does_not(tmp_path):
    """Without a gain on held-out rows for so many epochs it stops, and the best is kept, be it the start (0 epochs);
    with 0 it trains to the end, on all rows.
    """
    X, y = orders(40)
    y = list(np.random.default_rng(0).permutation(y))
    model = fitted(X, y, store=tmp_path)
    options = {**FAST, "epochs": 12, "average": 0.0, "unfreeze": 1}
    stopped, all_of = (model.fine_tune(X, y, **{**options, "patience": patience}) for patience in (2, 0))
    assert len(stopped.log) < 12
    assert stopped.epochs == len(stopped.log) - 2
    if stopped.epochs:
        assert stopped.epochs == 1 + int(np.argmin([epoch.held_out_loss for epoch in stopped.log]))
    assert all(0 <= epoch.held_out_accuracy <= 1 for epoch in stopped.log)
    assert [epoch.held_out_loss for epoch in all_of.log] == [None] * 12
    assert all_of.epochs == 12


def test_few_rows_have_no_early_stopping(tune):
    """Too few to hold any out: all are trained on, the log says that there was nothing to look at."""
    report, _ = tune(epochs=3, patience=1)
    assert [epoch.held_out_loss for epoch in report.log] == [None] * 3
    assert report.epochs == 3


def test_balanced_lets_a_rare_class_count(tmp_path):
    """Labels that say nothing, four to one: unbalanced the rare class is hardly ever predicted, balanced it is."""
    X, _ = orders(30)
    y = ["rare" if i % 5 == 0 else "common" for i in range(60)]
    rates = []
    for weight in (None, "balanced"):
        model = fitted(X, y, store=tmp_path, head="ridge")
        model.fine_tune(X, y, **{**CALM, "class_weight": weight, "epochs": 3, "unfreeze": 1})
        found = model.predict(X)
        rates.append(float(np.mean([p.probabilities["rare"] for p in found])))
    assert rates[0] < 0.35
    assert rates[1] > rates[0] + 0.1


def test_bfloat16_comes_close_to_float32(tune):
    """Half the digits in the multiplications, nearly the same weights and the same figures."""
    full, half = (tune(precision=name, learning_rate=1e-3) for name in ("float32", "bfloat16"))
    assert 0 < apart(full[1], half[1]) < 1e-2
    assert half[0].metrics[0]["accuracy"].value == pytest.approx(full[0].metrics[0]["accuracy"].value, abs=0.25)


def test_without_dropout_nothing_is_drawn(tmp_path):
    """Given splits, and all rows in one batch: a seed can draw dropout alone, and with 0 there is none."""
    for seed, split in enumerate(("train", "test")):
        write_orders(tmp_path / "data" / split, 8, seed=seed)
    frozen = fitted(tmp_path / "data", store=tmp_path, net=network(blind=False))
    found = {}
    for dropout in (0.0, 0.5):
        for seed in (0, 1):
            model = fitted(tmp_path / "data", store=tmp_path, net=frozen.net)
            model.fine_tune(tmp_path / "data", **{**CALM, "dropout": dropout, "seed": seed, "batch_size": 64})
            found[dropout, seed] = model.predict(tmp_path / "data").probabilities
    assert np.abs(found[0.0, 0] - found[0.0, 1]).max() < 1e-4
    assert np.abs(found[0.5, 0] - found[0.5, 1]).max() > 1e-3


def test_views_of_sounds(tmp_path):
    """Sounds have views of their own; the store holds them like any rows."""
    data = write_tones(tmp_path / "tones")
    model = fitted(data, store=tmp_path / "store", net=BACKBONE.replace("vision", "audio"))
    report = model.fine_tune(data, **{**FAST, "views": 2, "epochs": 1, "unfreeze": 1})
    assert (report.items, report.notes) == (12, ())


def test_views_of_texts_are_told(tmp_path):
    """There are none."""
    X, y = ["my card is lost", "where is my refund", "a card", "the refund"] * 3, ["card", "refund"] * 6
    from tests.texts import write_network

    model = fitted(X, y, store=tmp_path, net=f"hf:{write_network('bert', tmp_path / 'bert')}")
    with pytest.raises(icecore.errors.UsageError, match="2 views of each item were asked for, and there are none"):
        model.fine_tune(X, y, views=2, **{**FAST, "unfreeze": 1})
