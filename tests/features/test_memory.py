"""Memory does not follow the number of items."""

from pathlib import Path

import numpy as np
import pytest

from tests.features.conftest import Start
from tests.features.photos import write_photos

WATCHED = """
import re, sys, threading, time
from pathlib import Path

seen = []

def own():  # pages of mapped files are no memory of ours: the system takes them back when it likes
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

def watch():
    while True:
        seen.append(own())
        time.sleep(0.005)

def begin():
    threading.Thread(target=watch, daemon=True).start()
"""
MEASURE = (
    WATCHED
    + """
from icecore import backbones
from icecore.data import read
from icecore.features import extract, write
from icecore.prefix import columns_of
from icecore.store import Store

source, root, network = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
net = backbones.load(network, device="cpu")
columns = columns_of(net, sys.argv[4:], "flatten" if net.modality == "image" else "mean")
begin()
dataset = read(source, labelled=False, modality=net.modality)
features = extract(net, dataset, columns, store=Store(root), workers=2)
extracted = max(seen)
write(features, root / "out.parquet")
print(extracted, max(seen))
"""
)

MANY = (
    WATCHED
    + """
import numpy as np
import torch
from torch import nn
from icecore import backbones
from icecore.data import ImagePreprocessing, read
from icecore.features import extract
from icecore.prefix import columns_of
from icecore.store import Store

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 64)

    def forward(self, x):
        return x + torch.relu(self.linear(x))

class Blocks(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.stem = nn.Linear(192, 64)
        self.blocks = nn.Sequential(*[Block() for _ in range(count)])
        self.head = nn.Linear(64, 2)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x.flatten(1))))

file, root, blocks = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
net = backbones.wrap(Blocks(blocks), preprocess=ImagePreprocessing(resize="exact", resize_size=8))
columns = columns_of(net, "all")
begin()
before = own()
features = extract(net, read(np.load(file, mmap_mode="r")), columns, store=Store(root), batch_size=256)
peak = max(seen) - before
print(features.report.computed, len(columns), peak)
"""
)


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux"),
]


def peaks_of(start: Start, *words: object, code: str = MEASURE) -> list[int]:
    """Megabytes at most before and after the features are written to a file; or what other code prints."""
    out, err = start(code, *words).communicate(timeout=500)
    assert out, err
    return [int(number) for number in out.split()]


def test_ten_times_the_items_need_no_more_memory(start: Start, tmp_path: Path):
    """300 items and 3,000, whose features take 33 MB and 330 MB, differ in their peak by what is written at a time."""
    peaks = []
    for count in (300, 3000):
        folder, root = tmp_path / str(count), tmp_path / f"store-{count}"
        write_photos(folder, range(count))
        root.mkdir()
        peaks.append(peaks_of(start, folder, root, "icecore:vision-s@random", "stages.0", "last"))
    (extracted, written), (extracted_more, written_more) = peaks
    assert extracted_more - extracted < 200, f"megabytes: {peaks}"
    assert written_more - written < 200, f"megabytes: {peaks}"


def test_two_hundred_thousand_items_with_all_layers(start: Start, tmp_path: Path):
    """200,000 pictures of 8 x 8 pixels, whose 13 layers take 665 MB, need 200 MB more than the network does."""
    pictures = np.lib.format.open_memmap(tmp_path / "pictures.npy", "w+", np.uint8, (200_000, 8, 8, 3))
    pictures[:] = np.random.default_rng(0).integers(0, 256, pictures.shape, dtype=np.uint8)
    pictures.flush()
    computed, layers, peak = peaks_of(start, tmp_path / "pictures.npy", tmp_path / "store", 12, code=MANY)
    assert (computed, layers) == (200_000, 13)
    assert peak < 200, f"megabytes: {peak}"


def test_a_text_takes_its_own_length_and_little_more(start: Start, tmp_path: Path):
    """150,000 more lines need less than 300 bytes each, of which the line itself takes 50."""
    words = tmp_path / "words.txt"  # short vectors, so that no part of the store weighs much before it is written
    words.write_text("number 0 0 0 1\nstreet 1 0 0 0\n")
    peaks = []
    for count in (20_000, 170_000):
        table, root = tmp_path / f"{count}.csv", tmp_path / f"store-{count}"
        table.write_text("text\n" + "".join(f"How do I reach number {i} of this long street?\n" for i in range(count)))
        root.mkdir()
        peaks.append(peaks_of(start, table, root, f"static:{words}", "last"))
    (_, written), (_, written_more) = peaks
    assert (written_more - written) * 2**20 < 300 * 150_000, f"megabytes: {peaks}"
