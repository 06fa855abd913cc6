"""Reading, forward and writing at the same time: threads, clocks, batches of texts, and what goes wrong in a thread."""

import io
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from icecore import backbones
from icecore.data import Item, read
from icecore.errors import IcecoreError
from icecore.features import Terminal, extract
from icecore.features.pipeline import Job, compute
from icecore.keys import row_of_array
from icecore.prefix import columns_of
from icecore.store import Store
from tests.features.photos import PREPARE, Tiny, pixels, tiny
from tests.texts import write_network


class Slow(Tiny):
    """A network that takes its time, once the probe pass is over."""

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.seen.get("seconds", 0))
        return super().forward(x)


class Noted:
    """A preprocessing that takes its time, and notes in which thread it runs."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.threads = seconds, []
        self.value = PREPARE.value

    def __call__(self, decoded: Any) -> np.ndarray:
        time.sleep(self.seconds)
        self.threads.append(threading.get_ident())
        return PREPARE(decoded)


def slow(seconds: float, preprocess: Any = PREPARE) -> Any:
    backbone = tiny(Slow(), preprocess)
    backbone.module.seen["seconds"] = seconds
    return backbone


def last(backbone: Any, data: object, store: Store, **options: Any) -> Any:
    return extract(
        backbone, read(data, modality=backbone.modality), columns_of(backbone, "last"), store=store, **options
    )


def test_a_slow_network_is_read_for_by_one_thread(store: Store):
    """All cores read for the first batch; from then on one thread, which leaves them to the network."""
    noted = Noted(0.001)
    last(slow(0.1, noted), [pixels(i) for i in range(160)], store, batch_size=8)
    assert len(set(noted.threads[-60:])) == 1


def test_the_users_number_of_threads_is_kept_to(store: Store):
    """Every one of them reads, however slow the network is."""
    noted = Noted(0.01)
    last(slow(0.05, noted), [pixels(i) for i in range(100)], store, batch_size=8, workers=5)
    assert len(set(noted.threads[-50:])) == 5


def test_the_report_tells_what_each_stage_took(store: Store):
    """Seconds of reading, decoding, preparing, forward and writing, and how long the network had nothing to do."""
    stages = last(slow(0.1), [pixels(i) for i in range(8)], store, batch_size=2).report.stages
    assert list(stages) == ["read", "decode", "prepare", "forward", "write", "idle"]
    assert 0.4 <= stages["forward"] < 5
    assert all(spent > 0 for spent in stages.values())
    assert not any(last(slow(0.1), [pixels(0)], store).report.stages.values())  # read from the store


@pytest.mark.parametrize(
    ("network", "preparing", "told"), [(0.05, 0.0, "the network"), (0.0, 0.05, "preparing")], ids=["network", "inputs"]
)
def test_progress_tells_what_is_waited_for(store: Store, network: float, preparing: float, told: str):
    """The slowest stage stands in the line."""
    stream = io.StringIO()
    backbone = slow(network, Noted(preparing))
    last(backbone, [pixels(i) for i in range(12)], store, batch_size=2, progress=Terminal(stream, every=0.0))
    assert re.search(rf"extracting: 10 of 12 \(\d+/s, \d+ s left, waiting for {told}\)", stream.getvalue())


def test_what_cannot_be_written_is_an_error(store: Store):
    """Writing goes on in a thread of its own; that it failed is raised where the user is."""

    class Spoiling(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            if "folder" in self.seen:
                shutil.rmtree(self.seen["folder"], ignore_errors=True)
                self.seen["folder"].write_text("in the way")
            return super().forward(x)

    backbone = tiny(Spoiling())
    backbone.module.seen["folder"] = store.table("x" * 64, {"id": ""}).folder.parent
    with pytest.raises((IcecoreError, OSError)):
        last(backbone, [pixels(i) for i in range(4)], store, batch_size=2)


@pytest.mark.parametrize("where", ["inputs", "preparing"])
def test_an_error_in_a_thread_is_raised(where: str):
    """Whether the data set or the preprocessing is at fault; and no thread is left."""

    class Faulty(Noted):
        def __call__(self, decoded: Any) -> np.ndarray:
            if where == "preparing" and len(self.threads) > 5:
                raise ZeroDivisionError("a fault")
            return super().__call__(decoded)

    def jobs() -> Iterator[Job]:
        for i in range(20):
            if where == "inputs" and i == 15:
                raise ZeroDivisionError("a fault")
            yield Job(row_of_array(pixels(i)), Item(i, "", "array", pixels(i)))

    backbone = tiny(preprocess=Faulty())
    with pytest.raises(ZeroDivisionError, match="a fault"):
        list(compute(backbone, jobs(), columns_of(backbone, "last"), batch_size=4))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("icecore")]


def texts_of(count: int) -> list[str]:
    """Of 1 to 20 words, each different."""
    rng = np.random.default_rng(0)
    words = ["my", "card", "is", "lost", "the", "rate", "of", "exchange", "today", "where", "refund", "late"]
    return [" ".join(rng.choice(words, 1 + int(n))) + f" {i}" for i, n in enumerate(rng.integers(0, 20, count))]


def test_texts_share_a_batch_by_their_tokens(tmp_path: Path):
    """A batch holds 64 tokens for each item of the batch size, of texts of one length; no vector depends on it."""
    backbone = backbones.load(f"hf:{write_network('bert', tmp_path / 'net')}", device="cpu")
    columns = columns_of(backbone, "all")
    shapes, real = [], []
    texts = texts_of(1000)
    texts[500] = " "

    def note(_module: Any, _args: Any, given: dict[str, Tensor]) -> None:
        shapes.append(tuple(given["input_ids"].shape))
        real.append(int(given["attention_mask"].sum()))

    backbone.module.register_forward_pre_hook(note, with_kwargs=True)
    features = extract(backbone, read(texts, modality="text"), columns, store=Store(tmp_path / "store"), batch_size=8)
    assert [bad.row for bad in features.bad] == [500]
    padded = sum(rows * length for rows, length in shapes)
    assert max(rows * length for rows, length in shapes) <= 8 * 64
    assert padded < 1.05 * sum(real)
    assert len(shapes) < 1.1 * padded / (8 * 64) + 2  # full batches
    good = texts[:500] + texts[501:]
    for i in (0, 499, 500, 998):
        alone = backbone.run([backbone.prepare(good[i])], ["last"], lambda _layer, value: value)["last"]
        np.testing.assert_allclose(features.read("last")[i], alone[0].numpy(), rtol=1e-4, atol=1e-5)


def test_texts_that_are_cut_are_counted_one_by_one(tmp_path: Path):
    """Though many are tokenised together, a remark is of the text that it is about."""
    backbone = backbones.load(f"hf:{write_network('bert', tmp_path / 'net')}?max_length=8", device="cpu")
    texts = texts_of(200)
    cut = sum(len(text.split()) > 6 for text in texts)
    features = last(backbone, texts, Store(tmp_path / "store"))
    assert list(features.report.remarks.values()) == [cut]
    torch.testing.assert_close(
        next(backbone.preprocessing.every(texts[7:8])).windows[0].inputs["input_ids"],
        backbone.prepare(texts[7]).windows[0].inputs["input_ids"],
    )
