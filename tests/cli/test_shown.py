"""What the commands show to people, on any terminal and for any names."""

import csv
import json
import os
import re
import resource
import shutil
import sys

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.small import BACKBONE

STRANGE = ["new\nline.png", "naïve ü 猫.png", 'quote\'s "two".png', "tab\there.png", "\x1b[31mred.png"]
ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}


@pytest.fixture
def strange(tmp_path):
    """Pictures whose names hold what names may hold."""
    folder = tmp_path / "strange"
    folder.mkdir()
    for i, name in enumerate(STRANGE):
        Image.new("RGB", (8, 8), (i * 20, 60, 60)).save(folder / name)
    return folder


def test_fit_is_shown_as_text(shell, colours):
    """Counts, head, figures with intervals beside the baselines, and what to do next."""
    done = shell.process("fit", colours, "-b", BACKBONE, "--head", "ridge", "--repeats", 1, "--out", "m")
    assert done.status == 0
    assert done.out.startswith("18 items, 0 set aside\nfeatures: 18 computed, 0 reused, ")
    assert "label: 3 classes" in done.out
    assert re.search(r"^ +this model +raw input +majority class$", done.out, re.MULTILINE)
    assert re.search(r"^accuracy +\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", done.out, re.MULTILINE)
    assert done.out.endswith("Saved m. Try: icecore predict m PHOTO.jpg\n")
    unsaved = shell("fit", colours, "-b", BACKBONE, "--head", "ridge", "--repeats", 1)
    assert unsaved.out.endswith("Not saved; name a folder with --out to keep the model.\n")


def test_layers_compared_are_shown_as_bars(shell, colours):
    """`--layer` twice: a bar for each, of signs that the terminal has."""
    words = ("fit", colours, "-b", BACKBONE, "--head", "centroid", "--layer", "last", "--layer", "-2", "--repeats", 1)
    assert "█" in shell(*words).out
    assert "####" in shell(*words, encoding="ascii").out


def test_predict_evaluate_extract_inspect_are_shown_as_text(shell, colours, model):
    """A table of predictions, of figures, of shapes; layers, model and data in words."""
    predicted = shell("predict", model, colours / "red")
    assert re.fullmatch(r"input +label +probability\n(00\d\.png +red +0\.\d{3}\n){6}", predicted.out)
    assert "18 items\n" in shell("evaluate", model, colours).out
    assert "Wrote f.npy" in shell("extract", colours, "-b", BACKBONE, "--out", "f.npy").out
    net = shell("inspect", BACKBONE).out
    assert "licence: mit (icecore)" in net
    assert re.search(r"^last +1024", net, re.MULTILINE)
    assert "classes: blue, green, red" in shell("inspect", model).out
    assert re.search(r"^green +6$", shell("inspect", colours).out, re.MULTILINE)
    assert "providers" not in shell("backbones").out
    assert "icecore:" in shell("backbones").out
    assert re.search(
        r"^timm:resnet18.a1_in1k +image 224 x 224 +11.7 M +apache-2.0$",
        shell("backbones", "resnet18.a1").out,
        re.MULTILINE,
    )
    assert re.search(r"^icecore:text-s +text +\d.\d M +mit$", shell("backbones", "icecore").out, re.MULTILINE)
    assert "narrow the pattern to have parameters counted" in shell("backbones", "timm:resnet").out
    assert "3.0 M parameters" in net


def test_the_store_is_shown_as_text(shell, colours, tmp_path):
    """ls, verify, a damaged part, compact, prune."""
    assert "0 B in 0 tables" in shell("store", "ls").out
    shell("extract", colours, "-b", BACKBONE, "--out", "f.npy", "--store", "s")
    listed = shell("store", "ls", "--store", "s").out
    assert re.search(rf"^{BACKBONE} +1 +18 +1 ", listed, re.MULTILINE)
    assert shell("store", "verify", "--store", "s").out == "Every part is as it was written\n"
    (part,) = (tmp_path / "s").rglob("*.arrow")
    part.write_bytes(part.read_bytes()[:-200])
    assert shell("store", "verify", "--store", "s").out.endswith("1 damaged part set aside\n")
    again = shell("extract", colours, "-b", BACKBONE, "--out", "f.npy", "--store", "s")
    assert "features: 18 computed, 0 reused" in again.out
    assert shell("store", "compact", "--store", "s").out.startswith("Merged ")
    assert "to 0 B" in shell("store", "prune", "--max-size", "0", "--store", "s").out


def test_strange_names_stay_on_their_lines(shell, strange, model):
    """Newlines, tabs and escape sequences in names are shown as written in Python; every item keeps one line."""
    done = shell("predict", model, strange)
    lines = done.out.splitlines()
    assert len(lines) == 1 + len(STRANGE)
    assert "\x1b" not in done.out
    assert any(line.startswith(r"new\nline.png") for line in lines)
    assert any(line.startswith("naïve ü 猫.png") for line in lines)
    found = shell("predict", model, strange, "--json").json
    assert sorted(line["input"] for line in found["predictions"]) == sorted(STRANGE)


def test_an_ascii_terminal_gets_ascii(shell, strange, model):
    """LANG=C without UTF-8: what it cannot show is escaped, for results, notes and errors alike."""
    done = shell.process("predict", model, strange, env=ASCII)
    assert done.status == 0
    assert r"na\xefve \xfc \u732b.png" in done.out
    missing = shell("predict", model, strange / "猫", encoding="ascii")
    assert missing.status == 1
    assert re.fullmatch(r"Error: There is no file or folder .*\\u732b\. Check the path\.\n", missing.err)


@pytest.mark.skipif(sys.platform != "linux", reason="only some systems allow such names")
def test_names_that_are_no_text_are_shown_escaped(shell, strange, model):
    """A name in Latin-1 on a system of UTF-8: read, shown escaped, in JSON and in files too."""
    latin = strange / os.fsdecode(b"caf\xe9.png")
    shutil.copy(strange / STRANGE[1], latin)
    done = shell("predict", model, latin, "--json")
    assert [line["input"].endswith(r"caf\xe9.png") for line in done.json["predictions"]] == [True]
    assert shell("predict", model, strange, "--out", "p.csv").status == 0
    assert r"caf\xe9.png" in (shell.folder / "p.csv").read_text("utf-8")
    missing = shell.process("predict", model, strange / os.fsdecode(b"no\xe9.png"))
    assert missing.status == 1
    assert r"no\xe9.png" in missing.err


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_predictions_are_written_as_the_ending_says(shell, strange, model, ending):
    """A line for each good input: row, input, label, probability and one of each class."""
    (strange / "000 bad.png").write_bytes(b"")
    out = shell.folder / "new" / f"p.{ending}"
    done = shell("predict", model, strange, "--out", out)
    assert done.out == f"Wrote predictions to {out}\n"
    assert "Set aside 1 item that cannot be used:\n  row 1: 000 bad.png: the file is empty\n" in done.err
    if ending == "parquet":
        lines = pq.read_table(out).to_pylist()
    elif ending == "jsonl":
        lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    else:
        with out.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file, delimiter="\t" if ending == "tsv" else ","))
    assert list(lines[0]) == ["row", "input", "label", "probability", "p:blue", "p:green", "p:red"]
    assert sorted(line["input"] for line in lines) == sorted(STRANGE)
    assert [int(line["row"]) for line in lines] == [0, 2, 3, 4, 5]


def test_long_lists_of_bad_items_are_cut(shell, colours, model, tmp_path):
    """Ten are shown, the rest is counted; `inspect` lists all."""
    data = shutil.copytree(colours, tmp_path / "data")
    for i in range(14):
        (data / "red" / f"bad{i:02d}.png").write_bytes(b"")
    done = shell("predict", model, data)
    assert "Set aside 14 items that cannot be used:" in done.err
    assert "and 4 more; `icecore inspect DATA` lists them all." in done.err
    assert shell("inspect", data).out.count("the file is empty") == 14


def test_the_version_and_the_help(shell):
    """`--version`, and help without a command."""
    assert re.fullmatch(r"icecore \d+\.\d+\.\d+\n", shell.process("--version").out)
    bare = shell.process()
    assert bare.status in (0, 2)
    for name in ("fit", "predict", "evaluate", "extract", "inspect", "backbones", "store", "demo"):
        assert re.search(rf"^  {name} ", bare.out + bare.err, re.MULTILINE)
        assert "Usage:" in shell(name, "--help").out


@pytest.mark.slow
def test_the_demo_does_the_whole_job_in_a_minute(shell):
    """Without any network connection or argument: fits, beats pixels and random weights, fits again for nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = shell.process("demo", env={"OMP_NUM_THREADS": "1"})
    assert done.status == 0, done.err
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 90  # of a core; 43 s one day, 61 s another
    line = re.search(r"^accuracy +(.*)$", done.out, re.MULTILINE)[1]
    (ours, low), *others = re.findall(r"(0\.\d+) \[(0\.\d+), ", line)
    assert len(others) == 3  # random weights, raw input, majority class
    assert all(float(other) < float(low) for other, _ in others), ours
    assert "A second fit, with another head: 0 computed, 300 reused" in done.out
    assert len(re.findall(r"^new/\d/000\.png +\d +0\.\d+$", done.out, re.MULTILINE)) == 3
    assert "Try next:" in done.out
