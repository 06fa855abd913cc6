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

folder, root, seen = Path(sys.argv[1]), Path(sys.argv[2]), []
net = backbones.load("icecore:vision-s@random", device="cpu")
columns = columns_of(net, ["stages.0", "last"], "flatten")
threading.Thread(target=watch, daemon=True).start()
features = extract(net, read(folder), columns, store=Store(root), workers=2)
extracted = max(seen)
write(features, root / "out.parquet")
print(extracted, max(seen))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux")
def test_ten_times_the_items_need_no_more_memory(start: Start, tmp_path: Path):
    """300 items and 3,000, whose features take 33 MB and 330 MB, differ in their peak by what is written at a time."""
    peaks = []
    for count in (300, 3000):
        folder, root = tmp_path / str(count), tmp_path / f"store-{count}"
        write_photos(folder, range(count))
        root.mkdir()
        out, err = start(MEASURE, folder, root).communicate(timeout=500)
        assert out, err
        peaks.append([int(number) for number in out.split()])
    (extracted, written), (extracted_more, written_more) = peaks
    assert extracted_more - extracted < 200, f"megabytes: {peaks}"
    assert written_more - written < 200, f"megabytes: {peaks}"
