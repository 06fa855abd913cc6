"""Every engine gives what the network's own forward gives, whatever the network, or is not used."""

import copy
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from icecore import backbones
from icecore.data import ImagePreprocessing
from icecore.errors import BackboneError, MissingExtraError, UsageError
from icecore.prefix import Column, Cutter, columns_of
from icecore.prefix.engines import (
    TOLERANCES,
    Eager,
    Trial,
    Verdict,
    apart,
    catalogue,
    choosing,
    chosen,
    named,
    probe,
    require_engine,
    worth_probing,
)
from tests.prefix.cuts import inputs

pytest.importorskip("openvino")

NETWORKS = ("resnet18", "mobilenetv2", "vit", "bert", "bert?long=windows&max_length=9", "gpt2", "wav2vec2")
MORE = ("efficientnet", "convnext", "swin", "distilbert", "t5", "llama", "deberta", "wav2vec2-layer", "wavlm", "vgg16")


def differ(net, columns, runner, batch):
    here, there = runner(batch), Eager(net.at_precision("float32"), columns)(batch)
    return max(apart(list(here[column]), list(there[column]), net.precision) for column in columns)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        *((name, precision) for name in NETWORKS for precision in TOLERANCES),
        *(pytest.param(name, "float32", marks=pytest.mark.slow) for name in MORE),
    ],
)
def test_openvino_agrees(net, name, precision):
    """All blocks, in both precisions, of inputs of mixed lengths and in several windows; a single one too."""
    own = copy.copy(net(name)).run_as(precision=precision)
    columns = columns_of(own, ["all", "input"] if "input" in own.layers() else "all")
    batch = inputs(own)
    runner = named(own, columns, "openvino", batch).runner
    assert runner.engine == "openvino"
    assert differ(own, columns, runner, batch) <= TOLERANCES[precision]
    assert differ(own, columns, runner, batch[:1]) <= TOLERANCES[precision]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "engine"),
    [
        *((name, "onnxruntime") for name in ("resnet18", "vit", "bert", "wav2vec2")),
        *((name, "compile") for name in ("resnet18", "bert")),
    ],
)
def test_the_others_agree(net, name, engine):
    """ONNX Runtime and torch's compiler, where there is a C++ compiler."""
    own = copy.copy(net(name)).run_as()
    if engine == "compile" and not catalogue._compiles("cpu"):
        pytest.skip("no C++ compiler")
    columns, batch = columns_of(own, "all"), inputs(own)
    assert differ(own, columns, named(own, columns, engine, batch).runner, batch) <= TOLERANCES["float32"]


@pytest.mark.parametrize("pooling", ["mean", "max", "gem", "cls", "last-token", "flatten", "none"])
@pytest.mark.parametrize("name", ["vit", "bert"])
def test_every_pooling(net, name, pooling):
    """Pooled in the graph or behind it, values are the same."""
    own = copy.copy(net(name)).run_as()
    columns, batch = columns_of(own, [-1], pooling), inputs(own)[:2]
    runner, eager = named(own, columns, "openvino", batch).runner, Eager(own, columns)
    (column,) = columns
    for here, there in zip(runner(batch)[column], eager(batch)[column], strict=True):
        assert np.abs(here - there).max() <= TOLERANCES["float32"] * np.abs(there).max()


@pytest.mark.parametrize("name", ["resnet18", "bert", "wav2vec2"])
def test_boundaries_too(net, name):
    """The rows from which fine-tuning replays are computed by any engine, in the pass that gives the features."""
    own = copy.copy(net(name)).run_as()
    cutter = Cutter(own)
    place, _ = cutter.before(columns_of(own, [-1])[0].layer)
    prefix, batch = cutter.prefix([place]), inputs(own)
    columns = [*prefix.columns(place.at), *columns_of(own, [0])]
    assert differ(prefix, columns, named(prefix, columns, "openvino", batch).runner, batch) <= TOLERANCES["float32"]


class Branching(nn.Module):
    """What it computes depends on the values it is given, which no graph can follow."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 4, 3, 2)

    def forward(self, x):
        x = self.stem(x)
        return (x.relu() if float(x.detach().sum()) > 0 else -x).mean((2, 3))


def wrapped(module, **how):
    preprocess = ImagePreprocessing(resize="exact", resize_size=24, mean=(0.5,) * 3, std=(0.25,) * 3)
    return backbones.wrap(module, preprocess=preprocess, **how)


def pictures(net, n=4):
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.normal(size=net.layers()["input"].shape).astype(np.float32)) for _ in range(n)]


def test_a_network_that_no_graph_can_follow():
    """The engine that was asked for says that it cannot; when measured it is left out with the reason."""
    net = wrapped(Branching())
    columns, batch = columns_of(net, "last"), [*pictures(net), *(-one for one in pictures(net))]
    batch = [batch[0], batch[4], batch[1], batch[5]]
    signs = {bool(net.module.stem(one[None]).sum() > 0) for one in batch}
    if signs == {True}:
        pytest.fail("the inputs should take both branches")
    with pytest.raises(BackboneError, match="engine openvino"):
        named(net, columns, "openvino", batch[1:2] if signs == {False} else batch[:1] + batch[1:2])
    verdict = probe(net, columns, Trial(batch, 1.0), 10**9)
    assert "openvino" in verdict.rejected
    assert "openvino" not in verdict.seconds


def test_an_engine_that_is_wrong_is_left_out(net, monkeypatch):
    """An engine whose values are off by a thousandth is never used, however fast."""
    own = copy.copy(net("resnet18")).run_as()
    columns, batch = columns_of(own, "last"), inputs(own)
    right = named(own, columns, "openvino", batch).runner

    class Wrong:
        engine, in_flight, versions = "openvino", 1, {}

        def __call__(self, batch):
            return {column: rows * np.float32(1.001) for column, rows in right(batch).items()}

    own.runners.clear()
    monkeypatch.setattr(choosing, "compiled", lambda *_, **__: Wrong())
    with pytest.raises(BackboneError, match=r"0.001 of the largest value in a row, where 0.0001 is allowed"):
        named(own, columns, "openvino", batch)
    monkeypatch.setattr(choosing, "installed", lambda *_: ["openvino"])
    verdict = probe(own, columns, Trial(batch, 1.0), 10**9)
    assert list(verdict.seconds) == ["eager"]
    assert "0.001 of the largest" in verdict.rejected["openvino"]


@pytest.mark.parametrize("engine", ["eager", "openvino"])
def test_bfloat16_where_it_would_change_features(engine, assets):
    """MobileNetV2's narrow layers lose too much: they are computed in float32, which is within any tolerance."""
    net = backbones.load(f"hf:{assets / 'weights' / 'mobilenet_v2_hf'}", precision="bfloat16", engine=engine)
    photos = sorted((assets / "data" / "trashnet").rglob("*.jpg"))[::900]
    columns, batch = columns_of(net, "last"), [net.prepare(Image.open(photo).convert("RGB")) for photo in photos]
    choice = named(net, columns, engine, batch)
    assert choice.why.startswith(f"{engine} in float32: bfloat16 would change features by 0.0")
    assert differ(net.at_precision("float32"), columns, choice.runner, batch) <= TOLERANCES["float32"]


def test_bfloat16_by_the_eager_engine(net):
    """It runs a copy; the network stays as it is."""
    own = copy.copy(net("vit")).run_as(precision="bfloat16")
    columns, batch = columns_of(own, "all"), inputs(own)
    choice = named(own, columns, "eager", batch)
    assert choice.why == ""
    assert 0 < differ(own, columns, choice.runner, batch) <= TOLERANCES["bfloat16"]
    assert {value.dtype for value in own.module.parameters()} == {torch.float32}


class Mixed(nn.Module):
    """Makes float32 of its own on the way, which does not go together with weights in bfloat16."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, 4)

    def forward(self, x):
        x = self.stem(x).relu().mean((2, 3))
        return self.head(x.float() + torch.ones(8, dtype=torch.float32))


def test_bfloat16_of_a_network_that_mixes_types():
    """Autocast takes over where a cast network cannot run."""
    net = wrapped(Mixed(), precision="bfloat16")
    columns, batch = columns_of(net, "last"), pictures(net)
    choice = named(net, columns, "eager", batch)
    assert choice.why == ""
    assert 0 < differ(net, columns, choice.runner, batch) <= TOLERANCES["bfloat16"]


def test_inputs_of_another_size():
    """What the graph was not made for goes through the network's own forward."""
    net = wrapped(nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    columns = columns_of(net, "last")
    usual = [torch.rand(net.layers()["input"].shape) for _ in range(2)]
    runner = named(net, columns, "openvino", usual).runner
    other = [torch.rand(3, 40, 31) for _ in range(2)]
    np.testing.assert_allclose(runner(other)[columns[0]], Eager(net, columns)(other)[columns[0]], rtol=1e-5)


def test_the_fastest_depends_on_what_is_left():
    """Making an engine is paid for once: for few items the eager one is done first."""
    verdict = Verdict({"eager": 0.1, "openvino": 0.01}, {"openvino": 9.0})
    assert (verdict.ranked(99)[0], verdict.ranked(101)[0]) == ("eager", "openvino")
    assert verdict.ranked(1, {"openvino"})[0] == "openvino"


def test_little_work_is_not_worth_a_trial(net):
    """An engine is tried where what is left would take longer than trying."""
    own, column = net("resnet18"), [Column("last", "none")]
    assert worth_probing(own, column, inputs(own), 10) is None
    assert 0 < worth_probing(own, column, inputs(own), 10**9).eager < 10
    verdict = probe(own, column, Trial([], 0.01), 10)
    assert list(verdict.seconds) == ["eager"]
    assert set(verdict.rejected.values()) == {"trying it would take as long as the work itself"}


def test_the_choice_says_why(net):
    """The figures it goes by, and what was left out for which reason."""
    own = copy.copy(net("resnet18")).run_as()
    verdict = Verdict({"eager": 0.1, "openvino": 0.01}, {"openvino": 1.0}, {"compile": "no"})
    choice = chosen(own, columns_of(own, "last"), verdict, inputs(own), 1000)
    assert choice.why == ("openvino (items a second on this machine: openvino 100, eager 10; compile was left out: no)")
    assert choice.runner.engine == "openvino"


def test_a_remembered_engine_proves_itself_on_these_weights(net, monkeypatch):
    """What was measured holds for an architecture; whether values are right is looked at for every network."""
    own = copy.copy(net("resnet18")).run_as()
    verdict = Verdict({"eager": 0.1, "openvino": 0.01}, {"openvino": 1.0})

    class Wrong(Eager):
        engine = "openvino"

        def __call__(self, batch):
            return {column: rows + 1 for column, rows in super().__call__(batch).items()}

    monkeypatch.setattr(choosing, "compiled", lambda backbone, columns, _engine: Wrong(backbone, columns))
    assert chosen(own, columns_of(own, "last"), verdict, inputs(own), 1000).runner.engine == "eager"


@pytest.mark.parametrize(("engine", "precision"), [("openvino", "float32"), ("eager", "bfloat16")])
def test_weights_that_change_make_another_engine(engine, precision):
    """What was made of a network is not used for other weights, which have other keys."""
    net = wrapped(nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()), precision=precision)
    columns, batch = columns_of(net, "last"), pictures(net)
    before = named(net, columns, engine, batch).runner(batch)[columns[0]]
    with torch.no_grad():
        net.module[0].bias += 1
    after = named(net, columns, engine, batch).runner(batch)[columns[0]]
    np.testing.assert_allclose(after, before + 1, atol=2e-2)


def test_a_network_goes_to_other_processes_without_its_engines(net):
    """A search in several processes pickles it; what is compiled belongs to this one."""
    own = copy.copy(net("resnet18")).run_as()
    columns, batch = columns_of(own, "last"), inputs(own)
    here = named(own, columns, "openvino", batch).runner(batch)[columns[0]]
    there = named(pickle.loads(pickle.dumps(own)), columns, "openvino", batch).runner(batch)[columns[0]]
    np.testing.assert_array_equal(here, there)


def test_names(monkeypatch):
    """Unknown engines are answered with the known ones, missing ones with what installs them."""
    with pytest.raises(UsageError, match=r"There is no engine 'fast'\. Known are auto, eager, openvino, onnxruntime"):
        require_engine("fast")
    monkeypatch.setattr(catalogue, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'icecore\[openvino\]'"):
        require_engine("openvino")
    monkeypatch.setattr(catalogue, "which", lambda _: None)
    with pytest.raises(UsageError, match="needs a C\\+\\+ compiler"):
        require_engine("compile")
