"""Exit status and what is said: 1 for the user's data, 2 for usage, one paragraph, no traceback."""

import shlex
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from icecore.errors import DataError
from tests.cli.shell import command
from tests.small import BACKBONE

FIT = ("-b", BACKBONE, "--head", "ridge", "--repeats", "1")


def one_paragraph(text: str) -> bool:
    return text.count("\n") == 1 and text.startswith("Error: ") and "Traceback" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("extract", "data", "--out", "f.npy"), "Missing option '--backbone'"),
        (("fit",), "Missing argument 'DATA'"),
        (("ft", "data"), "No such command 'ft'. Did you mean 'fit'?"),
        (("fit", "data", "--bakbone", "x"), "No such option: --bakbone"),
        (("fit", "data", *FIT, "--folds", "1"), "Invalid value for '--folds'"),
        (("extract", "data", "-b", BACKBONE), "Missing option '--out'"),
        (("store", "prune", "--max-size", "many"), "'many' is no size; write 500M or 20G."),
        (("store", "prune"), "Missing option '--max-size'"),
    ],
)
def test_usage_is_explained(shell, words, said):
    """A missing option is named, a typing error gets the nearest name; status 2."""
    done = shell.process(*words)
    assert done.status == 2
    assert said in done.err
    assert "--bak" not in said or "--backbone" in done.err
    assert done.out == ""
    assert "Traceback" not in done.err


@pytest.fixture
def data(colours, tmp_path):
    """The pictures as `data` in the working folder."""
    return shutil.copytree(colours, tmp_path / "data")


@pytest.mark.parametrize(
    "case",
    [
        (("fit", "data", "-b", BACKBONE, "--head", "logstic"), 2, "There is no head called 'logstic'. Known are"),
        (("fit", "data", "-b", BACKBONE, "--head", "logstic"), 2, "Did you mean logistic?"),
        (("fit", "data", *FIT, "--device", "cude"), 2, "There is no device 'cude'. Known are auto, cpu, cuda, mps"),
        (("fit", "data", *FIT, "--pooling", "men"), 2, "'men'"),
        (("extract", "data", "-b", BACKBONE, "--out", "f.xyz"), 2, "'f.xyz' has no ending that says its format."),
        (
            ("predict", "MODEL", "data", "--out", "p.xlsx"),
            2,
            "'p.xlsx' has no ending that says its format. One of .csv",
        ),
        (("fit", "data", "-b", "timm:resnt18"), 1, "Did you mean timm:resnet18"),
        (("inspect", "timm:resnt18"), 1, "and there is no such file or folder"),
        (("fit", "dat", *FIT), 1, "There is no file or folder dat. Check the path."),
        (("fit", "data", *FIT, "--layer", "lst"), 1, "has no layer 'lst' that can be taken."),
        (("fit", "data", *FIT, "--out", "data"), 1, "data exists and is no icecore model. A new name, an empty folder"),
        (("fit", "data/blue", *FIT), 1, "class"),
        (
            ("fit", "data", *FIT, "--require-licence", "apache-2.0"),
            1,
            "have the licence 'mit'. Required was: apache-2.0.",
        ),
        (("predict", "data", "data"), 1, "data is no icecore model: it holds no manifest.json."),
        (("evaluate", "MODEL", "data/blue"), 1, "class"),
        (("evaluate", "MODEL", "data", "--backbone", "icecore:vision-s@random-1"), 1, "is not the network that"),
        (("predict", "MODEL", "data", "--require-licence", "bsd"), 1, "have the licence 'mit'."),
        (("evaluate", "MODEL", "data", "--require-licence", "bsd"), 1, "have the licence 'mit'."),
        (
            ("extract", "data", "-b", BACKBONE, "--out", "f.npy", "--require-licence", "bsd"),
            1,
            "'mit'. Required was: bsd",
        ),
        (("inspect", "data/blue/000.png", "--preprocess", "none.json"), 0, ""),
        (("inspect", BACKBONE, "--preprocess", "none.json"), 1, "none.json"),
    ],
)
def test_errors_are_one_paragraph(shell, data, model, case):
    """What came, what was expected, what to do; the right status; nothing on standard output."""
    words, status, said = case
    done = shell(*(model if word == "MODEL" else word for word in words))
    assert done.status == status, done.err
    assert said in done.err
    assert status == 0 or one_paragraph(done.err), done.err
    assert status == 0 or done.out == ""


def test_debug_shows_the_traceback_wherever_it_stands(shell):
    """Before or after the command."""
    done = shell.process("--debug", "fit", "none", "-b", BACKBONE)
    assert done.status == 1
    assert "Traceback (most recent call last)" in done.err
    assert "icecore.errors.DataError: There is no file or folder none." in done.err
    with pytest.raises(DataError, match="There is no file or folder none"):
        shell("fit", "none", "-b", BACKBONE, "--debug")


def test_strict_makes_a_bad_item_an_error(shell, colours, model, tmp_path):
    """For every command that reads data; without it the item is set aside and named."""
    data = shutil.copytree(colours, tmp_path / "data")
    (data / "green" / "zzz.png").write_text("no picture", "utf-8")
    commands = [
        ("fit", data, *FIT), ("evaluate", model, data), ("predict", model, data),
        ("extract", data, "-b", BACKBONE, "--out", "f.npy"),
    ]  # fmt: skip
    for words in commands:
        strict, lax = shell(*words, "--strict"), shell(*words)
        assert strict.status == 1
        assert "1 item cannot be used: row 12 (green/zzz.png): not an image" in strict.err
        assert one_paragraph(strict.err)
        assert lax.status == 0
        assert "Set aside 1 item that cannot be used:\n  row 12: green/zzz.png: not an image" in lax.err


def test_a_file_that_cannot_be_written_is_told(shell, colours, model, tmp_path):
    """An --out below a file: one sentence, and nothing is left half-written."""
    (tmp_path / "file").write_text("", "utf-8")
    commands = {
        "file/p.csv": ("predict", model, colours),
        "file/f.npy": ("extract", colours, "-b", BACKBONE),
        "file/m": ("fit", colours, *FIT),
    }
    for out, words in commands.items():
        done = shell(*words, "--out", out)
        assert done.status in {1, 2}
        assert one_paragraph(done.err)
        assert "cannot be written" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_error_of_the_operating_system_is_no_defect(shell, colours, tmp_path):
    """Where it comes through as it is, it is told with its file, without asking for a report."""
    done = shell("extract", colours, "-b", BACKBONE, "--out", "f.npy", "--preprocess", tmp_path)
    assert done.status == 1
    assert one_paragraph(done.err)
    assert "inside icecore" not in done.err


def test_a_defect_is_told_as_one(tmp_path):
    """An error that nobody foresaw, here of a plug-in: one line with its name, how to see more, and status 1."""
    code = (
        "from icecore import plugins\nfrom icecore.cli.main import run\n"
        "class Broken:\n    def accepts(self, source): raise ZeroDivisionError('two\\nlines')\n"
        "plugins.register('readers', 'broken', Broken())\n"
        "run(['extract', 'x', '-b', 'icecore:vision-s@random', '--out', 'f.npy'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "Error inside icecore: ZeroDivisionError: two lines. Run with --debug for the traceback, and report it.\n"
    )


def test_warnings_are_plain_notes(shell, tmp_path):
    """Python's warnings come as one line, the same one once, and not on standard output."""
    (tmp_path / "nets.py").write_text(
        "import warnings\nfrom torch import nn\n"
        "def build():\n"
        "    for line in range(3):\n"
        "        warnings.warn('old\\n   weights', UserWarning, stacklevel=line + 1)\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n",
        "utf-8",
    )
    (tmp_path / "p.json").write_text('{"resize": "exact", "resize_size": 8}', "utf-8")
    done = shell.process("inspect", "torch:nets.py:build@random", "--preprocess", "p.json", "--json")
    assert done.status == 0
    assert done.err == "Note: old weights\n"
    assert done.json["blocks"] is not None


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_keeps_what_is_done(shell, tmp_path):
    """Interrupted while extracting: status 130, one sentence, and the next run computes only the rest."""
    (tmp_path / "nets.py").write_text(
        "import time\nfrom torch import nn\n"
        "class Slow(nn.Module):\n"
        "    def forward(self, x):\n        time.sleep(0.2)\n        return x.mean((2, 3))\n"
        "def build():\n    return nn.Sequential(Slow(), nn.Identity())\n",
        "utf-8",
    )
    (tmp_path / "p.json").write_text('{"resize": "exact", "resize_size": 8}', "utf-8")
    (tmp_path / "data").mkdir()
    for i in range(40):
        Image.new("RGB", (8, 8), (i, i, i)).save(tmp_path / "data" / f"{i:02d}.png")
    slow = ("-b", "torch:nets.py:build@random", "--preprocess", "p.json", "--batch-size", "1")
    words = ("extract", "data", *slow, "--out", "f.npy", "--store", "s")
    done = shell.interrupted(*words, when=lambda: any((tmp_path / "s").glob("*/table.json")))
    assert done.status == 130
    assert done.err.endswith("Interrupted. What was computed is kept; run the same command to go on.\n")
    assert "Traceback" not in done.err
    assert not (tmp_path / "f.npy").exists()
    assert not [path for path in (tmp_path / "s").rglob("*") if path.suffix == ".tmp"]
    again = shell(*words, "--json").json
    assert again["items"] == 40


def test_a_reader_that_leaves_is_no_error_message():
    """`icecore predict ... | head -1` ends quietly."""
    program = f"{shlex.join(command('inspect', BACKBONE))} | head -1"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
