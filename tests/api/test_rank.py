"""Ranking networks on planted data: what each of them sees is known, so the order is."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import icecore
from icecore.errors import BadItemsError, DataError, IcecoreError, LicenceError, UnknownBackboneError, UsageError
from tests.networks import counted, forwarded
from tests.small import BACKBONE

PREPROCESS = {"resize": "exact", "resize_size": 8}


class Sees(nn.Module):
    """A network whose two blocks see some channels of an image with some noise of their own, and pool it."""

    def __init__(self, channels: tuple[int, ...], classes: int = 0) -> None:
        super().__init__()
        keep = torch.zeros(3)
        keep[list(channels)] = 1
        self.register_buffer("keep", keep)
        self.classes = classes
        self.blocks = nn.Sequential(nn.Sequential(nn.ReLU(), nn.Identity()), nn.Sequential(nn.ReLU(), nn.Identity()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = x - x.mean(dim=(2, 3), keepdim=True) * (1 - self.keep)[None, :, None, None]
        return self.blocks(seen).flatten(2).mean(dim=2)


def network(name, *channels):
    return icecore.PretrainedModel.wrap(Sees(channels), preprocess=PREPROCESS, name=name)


def pictures(n=150, seed=0):
    """Small noisy pictures of three classes: red says which, green says a little, blue nothing; and their labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    level = 90 + np.stack([40 * y, 6 * y, 0 * y], axis=1) + rng.normal(0, 6, (n, 3))
    noise = rng.normal(0, 20, (n, 8, 8, 3))
    images = np.clip(level[:, None, None] + noise, 0, 255).astype(np.uint8)
    return list(images), [f"class {code}" for code in y]


NETWORKS = (("useless", 2), ("good", 0), ("weak", 1))


@pytest.fixture(scope="module")
def planted():
    """Three networks and what `rank` says of them on 150 pictures."""
    images, labels = pictures()
    nets = [network(name, channel) for name, channel in NETWORKS]
    return icecore.rank(images, nets, labels, progress=False)


def names(ranking):
    return [one.backbone for one in ranking.backbones]


def test_a_useless_backbone_is_ranked_last(planted):
    """On planted data the network that sees the classes comes first, the one that sees nothing last, at chance."""
    assert names(planted) == ["good", "weak", "useless"]
    assert [one.rank for one in planted.backbones] == [1, 2, 3]
    assert planted.best.score.low > 0.8
    last = planted.backbones[-1]
    assert last.score.low < 1 / 3 < last.score.high
    assert last.behind.high < -0.4


def test_every_score_agrees_on_planted_data(planted):
    """LogME, H-score, k-NN and centroid put the good network before the useless one, beyond their intervals."""
    good, useless = planted.backbones[0], planted.backbones[-1]
    for score in ("knn", "centroid", "logme", "h_score"):
        assert getattr(good, score).low > getattr(useless, score).high


def test_a_ranking_says_what_each_network_costs(planted):
    """Seconds an item, parameters, licence, and the figures of every layer by depth."""
    best = planted.best
    assert 0 < best.seconds_per_item < 1
    assert (best.parameters, best.licence) == (0, "unknown")
    assert best.layers[0].depth == 0
    assert list(best.by_depth)[-1] == "last"
    assert planted.done == "All 150 items were seen by all networks."


def test_json_has_every_figure_with_its_interval(planted):
    """The same as one JSON object."""
    found = planted.to_json()
    first = found["ranking"][0]
    assert (first["rank"], first["backbone"], first["items"]) == (1, "good", 150)
    assert (found["task"], found["score"]) == ("classification", "accuracy")
    assert set(first["score"]) == {"value", "low", "high"}
    assert [heat["items"] for heat in found["heats"]] == [150]
    assert found["left_out"] == []
    assert first["layers"][0]["depth"] == 0


def test_a_network_and_its_twin_share_a_rank():
    """Two that cannot be told apart are a tie."""
    images, labels = pictures(60)
    ranking = icecore.rank(
        images, [network("one", 0), network("two", 0, 1), network("blind", 2)], labels, progress=False
    )
    assert [one.rank for one in ranking.backbones] == [1, 1, 3]


def test_a_budget_that_is_too_small_goes_by_halving():
    """Beyond the budget the first items decide, and what was done is said; the order is the planted one."""
    images, labels = pictures(400)
    nets = [network(name, channel) for name, channel in NETWORKS]
    ranking = icecore.rank(images, nets, labels, budget=0.001, progress=False)
    assert names(ranking) == ["good", "weak", "useless"]
    assert [heat.items for heat in ranking.heats] == [100]
    assert "All 400 items would have taken about" in ranking.done
    assert "successive halving ended at 100, where the budget was spent." in ranking.done
    assert ranking.backbones[0].items == 100


def test_halving_goes_on_with_those_that_are_tied():
    """Rounds of more items go without those that are far behind, and with all that reach the best."""
    images, labels = pictures(1200)
    nets = [network("one", 0), network("two", 0, 1), network("blind", 2)]
    icecore.rank(images, nets, labels, budget="all", progress=False)  # so that features cost nothing below
    ranking = icecore.rank(images, nets, labels, budget="90%", progress=False)
    last = ranking.heats[-1]
    assert set(last.backbones) >= {"one", "two"}
    assert last.items > ranking.heats[0].items == 100
    assert {one.backbone: one.rank for one in ranking.backbones} == {"one": 1, "two": 1, "blind": 3}


def test_within_the_budget_everybody_sees_everything():
    """Rounds of up to four times as many items, in which nobody is left out."""
    images, labels = pictures(450)
    ranking = icecore.rank(images, [network("good", 0), network("blind", 2)], labels, budget="10m", progress=False)
    assert [(heat.items, len(heat.backbones)) for heat in ranking.heats] == [(100, 2), (400, 2), (450, 2)]
    assert ranking.done == "All 450 items were seen by all networks."
    assert 0 < ranking.whole_seconds < 60


def test_nothing_is_computed_twice(tmp_path):
    """A second ranking forwards the few items that the network is timed on, and no others."""
    images, labels = pictures(40)
    net = counted(tmp_path / "log")
    for _ in range(2):
        before = forwarded(tmp_path / "log")
        icecore.rank(images, [net], labels, store=tmp_path / "store", progress=False)
        now = forwarded(tmp_path / "log") - before
    assert now == 16


def test_backbones_that_cannot_be_used_are_left_out():
    """One of another modality and one that does not exist are told, with the reason; the others are ranked."""
    images, labels = pictures(30)
    ranking = icecore.rank(
        images, [network("good", 0), "icecore:text-s@random", "icecore:no-such-network"], labels, progress=False
    )
    assert names(ranking) == ["good"]
    reasons = {one.backbone: one.reason for one in ranking.left_out}
    assert set(reasons) == {"icecore:text-s@random", "icecore:no-such-network"}
    assert reasons["icecore:text-s@random"] == "Not one of 30 items can be used: ndarray is no text."
    assert "No provider knows the backbone" in reasons["icecore:no-such-network"]


def test_what_is_said_is_what_was_done(tmp_path):
    """Items that cannot be used are not counted as seen, nor folds that small classes do not have."""
    images, labels = pictures(13)
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    (tmp_path / "12.png").write_bytes(b"junk")
    paths = [tmp_path / f"{i}.png" for i in range(13)]
    ranking = icecore.rank(paths, [network("good", 0)], labels, n_folds=50, progress=False)
    assert ranking.done == "All 12 items were seen by all networks."
    assert ranking.evaluation.startswith("4 stratified folds")


def test_none_left_is_an_error_with_each_reason():
    """Where no backbone can be used there is nothing to rank; a single one's error is raised as it is."""
    images, labels = pictures(30)
    with pytest.raises(UnknownBackboneError):
        icecore.rank(images, ["icecore:no-such-network"], labels, progress=False)
    with pytest.raises(DataError, match=r"None of the 2 backbones can be used\.") as caught:
        icecore.rank(images, ["icecore:text-s@random", "icecore:no-such-network"], labels, progress=False)
    assert "icecore:text-s@random: Not one of 30 items" in str(caught.value)
    assert "icecore:no-such-network: No provider" in str(caught.value)


def test_networks_under_another_licence_are_left_out():
    """`require_licence` holds for each by itself."""
    images, labels = pictures(30)
    with pytest.raises(LicenceError):
        icecore.rank(images, [BACKBONE], labels, require_licence="apache-2.0", progress=False)


def test_test_rows_of_a_given_split_are_left_alone(tmp_path):
    """The choice of a network is part of training: it sees the rows to train on and to validate, and says so."""
    images, labels = pictures(60)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = tmp_path / "data" / ("test" if number >= 45 else "train") / label
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    ranking = icecore.rank(tmp_path / "data", [network("good", 0)], progress=False)
    assert ranking.items == 45
    assert ranking.backbones[0].items == 45
    assert any("The 15 test rows of the given split took no part" in note for note in ranking.notes)


def test_bad_items_are_set_aside_for_all(tmp_path):
    """What one network cannot use no network is scored on; with strictness it is an error."""
    images, labels = pictures(30)
    folder = tmp_path / "data"
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / label / f"{number}.png")
    (folder / "class 0" / "broken.png").write_bytes(b"no picture")
    ranking = icecore.rank(folder, [network("good", 0), network("weak", 1)], progress=False)
    assert [one.items for one in ranking.backbones] == [30, 30]
    assert [item.input.endswith("broken.png") for item in ranking.bad] == [True]
    with pytest.raises(BadItemsError):
        icecore.rank(folder, [network("good", 0)], strict=True, progress=False)


def test_a_network_with_a_head_of_its_own_has_leep(tmp_path):
    """LEEP needs the network's own classes: those of a classifier, made probabilities by a softmax."""
    from tests.networks import of_hf

    images, labels = pictures(40)
    ranking = icecore.rank(images, [of_hf(tmp_path), BACKBONE], labels, progress=False)
    found = {one.backbone: one.leep for one in ranking.backbones}
    assert found[BACKBONE] is None
    other = next(value for name, value in found.items() if name != BACKBONE)
    assert other.low <= other.value <= 0


def test_several_poolings_are_compared():
    """Each layer under each pooling is a line of its own."""
    images, labels = pictures(30)
    ranking = icecore.rank(
        images, [network("good", 0)], labels, layers=["blocks.0"], pooling=["mean", "max"], progress=False
    )
    assert [layer.layer for layer in ranking.best.layers] == ["blocks.0 (mean)", "blocks.0 (max)"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"backbones": []}, "There are no backbones to rank."),
        ({"backbones": BACKBONE}, "Expected a list of ids"),
        ({"backbones": [BACKBONE, BACKBONE]}, f"The backbone {BACKBONE} was named twice."),
        ({"backbones": [BACKBONE], "budget": "soon"}, "The budget is 'soon'."),
        ({"backbones": [BACKBONE], "heads": ["logstic"]}, "Did you mean logistic?"),
        ({"backbones": [BACKBONE], "heads": ["head2toe"]}, "head2toe reads all layers at once"),
    ],
)
def test_what_cannot_be_right_is_said_before_any_work(how, said):
    """The call is checked first."""
    images, labels = pictures(6)
    with pytest.raises(IcecoreError) as caught:
        icecore.rank(images, y=labels, progress=False, **how)
    assert said in str(caught.value)


def test_several_targets_are_refused():
    """Networks are ranked by one target."""
    import pandas as pd

    table = pd.DataFrame({"text": ["a b", "b c"] * 4, "one": ["x", "y"] * 4, "two": ["u", "v"] * 4})
    with pytest.raises(UsageError, match=r"The data has 2 targets: one, two\. Name the one to rank by"):
        icecore.rank(table, ["icecore:text-s@random"], target=["one", "two"], input_col="text", progress=False)


def test_numbers_are_ranked_by_r2():
    """A column of numbers is a regression: ridge and neighbours, R2, LogME; no H-score, no centroid."""
    images, _ = pictures(90)
    level = [float(image[..., 0].mean()) + 0.01 for image in images]
    ranking = icecore.rank(images, [network("blind", 2), network("good", 0)], level, progress=False)
    assert (ranking.task, ranking.score_name, names(ranking)) == ("regression", "R2", ["good", "blind"])
    best, last = ranking.backbones
    assert best.score.low > 0.9
    assert last.score.high < 0.3
    assert last.behind.high < -0.5
    assert best.logme.low > last.logme.high
    assert (best.centroid, best.h_score, best.leep) == (None, None, None)


def test_classes_in_an_order_are_ranked_too():
    """`task` and `order` are those of `fit`."""
    images, labels = pictures(60)
    ranking = icecore.rank(
        images, [network("blind", 2), network("good", 0)], labels, task="ordinal",
        order=["class 0", "class 1", "class 2"], progress=False,
    )  # fmt: skip
    assert (ranking.score_name, names(ranking)) == ("closeness in ranks", ["good", "blind"])
    assert ranking.best.h_score is not None


def test_rare_classes_may_count_as_much_as_others():
    """With `balanced` the score is the balanced accuracy, and of numbers it makes no sense."""
    images, labels = pictures(60)
    ranking = icecore.rank(images, [network("good", 0)], labels, class_weight="balanced", progress=False)
    assert ranking.score_name == "balanced accuracy"
    with pytest.raises(UsageError, match="no classes to balance"):
        icecore.rank(
            images, [network("good", 0)], [i + 0.5 for i in range(60)], class_weight="balanced", progress=False
        )
