"""Which engine is to run a prefix: measured on the user's own inputs, never assumed."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch

from icecore.backbones import INPUT, Extractor
from icecore.backbones.placing import EAGER
from icecore.errors import BackboneError, IcecoreError
from icecore.prefix.columns import Column, precision_of
from icecore.prefix.engines.catalogue import installed, require_engine
from icecore.prefix.engines.compiled import compiled
from icecore.prefix.engines.eager import Eager
from icecore.prefix.engines.tolerance import TOLERANCES, apart, said
from icecore.prefix.engines.values import Runner, Values
from icecore.prefix.engines.verdicts import Verdict

_QUICK_SECONDS = 1.0  # a pass over a whole batch that takes no longer tells speed better than one over few items
_FIRST = 2  # items of a first pass, which sets things up
_FEW = 4  # items that engines are compared on, in values and speed: each of them is computed for nothing
# About what making an engine takes, before it is known for the network; probing one has to promise more than that.
_COMPILING = {"openvino": 6.0, "onnxruntime": 10.0, "compile": 40.0}
_IN_FLOAT32 = " in float32"
_WORTH = 2.0  # times that long must the rest of the work take


@dataclass(frozen=True)
class Choice:
    """A runner, and why it was chosen."""

    runner: Runner
    why: str


def can_choose(backbone: Extractor, columns: Sequence[Column]) -> bool:
    """Whether anything but the network's own forward can run these columns."""
    return hasattr(backbone, "whole_pass") and any(column.layer != INPUT for column in columns)


def named(backbone: Any, columns: Sequence[Column], engine: str, batch: Sequence[Any]) -> Choice:
    """The engine that was asked for, checked on a few prepared inputs.

    What bfloat16 would change by more than its tolerance is computed in float32, which is within it.

    Raises BackboneError where the engine cannot run this network, or gives other features in float32 too.
    """
    require_engine(engine)
    try:
        found = _checked(backbone, columns, engine, batch)
    except IcecoreError:
        raise
    except Exception as error:
        raise BackboneError(
            f"The engine {engine} cannot run {backbone.id}: {_first_line(error)}.",
            do="Use --engine auto, which takes one that can, or eager.",
        ) from error
    if found.runner is None:
        raise BackboneError(
            f"The features of {backbone.id} by the engine {engine} differ from those of its own forward by "
            f"{found.wrong}.",
            do="Use --engine eager.",
        )
    return Choice(found.runner, found.wrong and f"{found.label}: bfloat16 would change features by {found.wrong}")


def may_pay(backbone: Any, seconds_left: float) -> bool:
    """Whether so much is left to do for the eager engine that trying another may pay."""
    names = installed(torch.device(backbone.device), precision_of(backbone))
    return seconds_left > _WORTH * min((_COMPILING[name] for name in names), default=float("inf"))


def worth_probing(backbone: Any, columns: Sequence[Column], batch: Sequence[Any], left: int) -> Trial | None:
    """What others are to be tried on, where so many items are left that this may pay; None where it may not.

    A first pass sets things up, so a later one counts, unless the first has shown that there is little to do.
    """
    eager, items = Eager(backbone.at_precision("float32"), columns), list(batch[:_FIRST])
    each = _timed(eager, items)[0]
    if not may_pay(backbone, each * left):
        return None
    items = list(batch if each * len(batch) <= _QUICK_SECONDS else batch[:_FEW])
    each, values = _timed(eager, items)
    return Trial(items, each, values) if may_pay(backbone, each * left) else None


def _timed(runner: Runner, items: Sequence[Any]) -> tuple[float, Values]:
    """Seconds an item, and what came out."""
    began = time.perf_counter()
    values = runner(items)
    return (time.perf_counter() - began) / len(items), values


@dataclass(frozen=True)
class Trial:
    """Prepared inputs to try engines on, the seconds an item that the eager engine took, and its values in float32."""

    items: Sequence[Any]
    eager: float
    values: Values | None = None


def probe(backbone: Any, columns: Sequence[Column], trial: Trial, left: int) -> Verdict:
    """Measure the most promising engine that is installed and can run this network.

    The others have never been faster where both were tried, and making them takes longer.

    Args:
        backbone: the network.
        columns: what is wanted of it.
        trial: what to try on, of one bucket.
        left: how many items are to do.
    """
    verdict = Verdict(seconds={EAGER: trial.eager})
    for engine in installed(torch.device(backbone.device), precision_of(backbone)):
        if left * trial.eager < _WORTH * _COMPILING[engine]:
            verdict.rejected[engine] = "trying it would take as long as the work itself"
            continue
        _try(engine, backbone, columns, trial, verdict)
        if len(verdict.seconds) > 1:
            break
    return verdict


def chosen(backbone: Any, columns: Sequence[Column], verdict: Verdict, batch: Sequence[Any], left: int) -> Choice:
    """The fastest engine of a verdict for so many items; one that fails this network's own weights gives way.

    What is made already need not be made again.
    """
    made = {label for label in verdict.seconds if _case(backbone, columns, label) in backbone.runners}
    for label in verdict.ranked(left, made):
        with suppress(Exception):  # made elsewhere or yesterday, not here
            found = _checked(backbone, columns, label, batch)
            if found.runner is not None:
                return Choice(found.runner, _why(found.label, verdict))
    return Choice(Eager(backbone, columns), "")


def _try(engine: str, backbone: Any, columns: Sequence[Column], trial: Trial, verdict: Verdict) -> None:
    began = time.perf_counter()
    try:
        found = _checked(backbone, columns, engine, trial.items, trial.values)
        if found.wrong:
            verdict.rejected[engine] = f"its features differ by {found.wrong}"
        if found.runner is not None:
            verdict.compiling[found.label] = time.perf_counter() - began
            verdict.seconds[found.label] = _seconds(found.runner, trial.items)
    except Exception as error:  # noqa: BLE001 - whatever a compiler cannot do, the eager engine does
        verdict.rejected[engine] = _first_line(error)


@dataclass(frozen=True)
class _Checked:
    """An engine that was made: with what it is called, or without a runner where its values are wrong."""

    label: str
    runner: Runner | None
    wrong: str = ""


def _checked(
    backbone: Any, columns: Sequence[Column], label: str, batch: Sequence[Any], expected: Values | None = None
) -> _Checked:
    """An engine for a network, made and checked once: calls in the same process share it.

    `expected` are the eager engine's values of the batch in float32, where they are known.
    """
    case = _case(backbone, columns, label)
    if case not in backbone.runners:
        engine, in_float32, _ = label.partition(_IN_FLOAT32)
        tried = [] if in_float32 else [_one(backbone, columns, engine, batch, expected)]
        if not tried or (tried[0].wrong and precision_of(backbone) != "float32"):
            tried.append(_one(backbone.at_precision("float32"), columns, engine, batch, expected))
            tried[-1] = replace(tried[-1], label=f"{engine}{_IN_FLOAT32}", wrong=tried[-1].wrong or tried[0].wrong)
        backbone.runners[case] = tried[-1]
    found: _Checked = backbone.runners[case]
    return found


def _case(backbone: Any, columns: Sequence[Column], label: str) -> tuple[Any, ...]:
    """What a runner was made for. Weights that somebody changed make another."""
    weights = {column.layer: backbone.weights_digest(column.layer) for column in columns if column.layer != INPUT}
    return label, tuple(columns), tuple(weights.values()), torch.get_num_threads()


def _one(
    backbone: Any, columns: Sequence[Column], engine: str, batch: Sequence[Any], expected: Values | None
) -> _Checked:
    with _quiet():
        runner: Any = Eager(backbone, columns) if engine == EAGER else compiled(backbone, columns, engine)
    wrong = _wrong(backbone, columns, runner, batch, expected)
    return _Checked(engine, None if wrong else runner, wrong)


def _wrong(
    backbone: Any, columns: Sequence[Column], runner: Runner, batch: Sequence[Any], expected: Values | None
) -> str:
    """How a runner's values differ from the eager ones in float32, where that is more than may be."""
    precision, few = precision_of(backbone), list(batch[:_FEW])
    if runner.engine == EAGER and precision == "float32":
        return ""
    here, there = runner(few), expected or Eager(backbone.at_precision("float32"), columns)(few)
    worst = max(apart(list(here[column]), list(there[column])[: len(few)], precision) for column in columns)
    return "" if worst <= TOLERANCES[precision] else said(worst, precision)


def _seconds(runner: Runner, batch: Sequence[Any]) -> float:
    """Seconds an item, with as many batches at once as the runner takes."""
    if len(batch) > _FEW:  # else it ran on these when its values were compared
        runner(batch)
    with ThreadPoolExecutor(runner.in_flight) as pool:
        began = time.perf_counter()
        list(pool.map(runner, [batch] * runner.in_flight))
        return (time.perf_counter() - began) / (runner.in_flight * len(batch))


def _why(engine: str, verdict: Verdict) -> str:
    """One sentence."""
    rates = [f"{name} {1 / seconds:.3g}" for name, seconds in sorted(verdict.seconds.items(), key=lambda one: one[1])]
    tried = f"items a second on this machine: {', '.join(rates)}" if len(rates) > 1 else ""
    refused = [f"{name} was left out: {reason}" for name, reason in verdict.rejected.items()]
    return f"{engine} ({'; '.join(part for part in (tried, *refused) if part)})"


@contextmanager
def _quiet() -> Iterator[None]:
    """Compilers speak of their own affairs."""
    loggers = [logging.getLogger(name) for name in ("torch.export", "torch.onnx", "torch._dynamo", "openvino")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")[:200]
