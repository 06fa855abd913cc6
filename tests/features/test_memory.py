"""Memory does not follow the number of items."""

from pathlib import Path

import pytest

from tests.features.conftest import Start
from tests.features.photos import write_photos

MEASURE = """
import re, sys, threading, time
from pathlib import Path
from icecore import backbones
from icecore.data import read
from icecore.features import extract, write
from icecore.prefix import columns_of
from icecore.store import Store

def watch():
    while True:  # pages of mapped files are no memory of ours: the system takes them back when it likes
        status = Path("/proc/self/status").read_text()
        seen.append(int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]) // 1024)
        time.sleep(0.005)

source, root, network, seen = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], []
net = backbones.load(network, device="cpu")
columns = columns_of(net, sys.argv[4:], "flatten" if net.modality == "image" else "mean")
threading.Thread(target=watch, daemon=True).start()
dataset = read(source, labelled=False, modality=net.modality)
features = extract(net, dataset, columns, store=Store(root), workers=2)
extracted = max(seen)
write(features, root / "out.parquet")
print(extracted, max(seen))
"""


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux"),
]


def peaks_of(start: Start, *words: object) -> list[int]:
    """Megabytes at most before and after the features are written to a file."""
    out, err = start(MEASURE, *words).communicate(timeout=500)
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
