"""Named factories, from entry points and from the running program."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from icecore import plugins
from icecore.errors import UsageError

BUILT_IN = {
    "backbones": {"timm", "torchvision", "hf", "torch"},
    "heads": {"logistic", "ridge", "svm", "svm-rbf", "knn", "centroid", "lda", "mlp"},
    "readers": {"folder", "table", "frame", "sequence"},
}


@pytest.mark.parametrize("group", plugins.GROUPS)
def test_built_ins_come_through_the_same_door(group: str):
    """What icecore brings itself is found by name like anyone's plug-in, and listed sorted."""
    names = plugins.names(group)
    assert names == sorted(names)
    assert BUILT_IN[group] <= set(names)


def test_a_registered_factory_is_found():
    """A factory offered in this process is listed and handed back as it is."""
    factory = object()
    plugins.register("heads", "test-registered", factory)
    assert plugins.get("heads", "test-registered") is factory
    assert "test-registered" in plugins.names("heads")
    assert "test-registered" not in plugins.names("backbones")


def test_the_latest_registration_wins():
    """Registering a name again replaces the factory."""
    plugins.register("heads", "test-again", 1)
    plugins.register("heads", "test-again", 2)
    assert plugins.get("heads", "test-again") == 2
    assert plugins.names("heads").count("test-again") == 1


def test_an_unknown_name_is_an_error_with_the_nearest_names():
    """A misspelt name is told together with what it may have meant."""
    with pytest.raises(UsageError, match=r"There is no head called 'logstic'\. Known are .*\. Did you mean logistic"):
        plugins.get("heads", "logstic")


def test_a_name_like_no_other_is_an_error_without_a_guess():
    """Where nothing is near, the known names are listed and nothing is guessed."""
    with pytest.raises(UsageError) as caught:
        plugins.get("backbones", "§§§§")
    assert "There is no backbone called '§§§§'. Known are " in str(caught.value)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("call", [plugins.names, lambda group: plugins.get(group, "x")])
def test_an_unknown_group_is_an_error(call):
    """Groups are fixed; another one is told with the three that are."""
    with pytest.raises(UsageError, match=r"no plug-in group called 'hat'\. Groups are backbones, heads, readers"):
        call("hat")
    with pytest.raises(UsageError, match="no plug-in group called 'hat'"):
        plugins.register("hat", "x", None)


def installed(folder: Path) -> None:
    """A package as pip would leave it: a module, and the metadata that names its entry points."""
    (folder / "cone.py").write_text("print('imported')\ndef flake(): return 'flake'\ndef logistic(): return 'theirs'\n")
    metadata = folder / "cone-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: cone\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[icecore.heads]\nflake = cone:flake\nbroken = cone:nothing\n")


def run(folder: Path, code: str) -> str:
    start = f"import sys; sys.path.insert(0, {str(folder)!r})\nfrom icecore import plugins\n"
    command = [sys.executable, "-c", start + textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_an_installed_package_offers_factories(tmp_path: Path):
    """An entry point of another package is listed without importing it, and imported when it is asked for."""
    installed(tmp_path)
    code = """
        print("flake" in plugins.names("heads"), "cone" in sys.modules)
        print(plugins.get("heads", "flake")())
    """
    assert run(tmp_path, code).split() == ["True", "False", "imported", "flake"]


def test_a_registration_wins_over_an_entry_point(tmp_path: Path):
    """What a running program registers replaces what is installed, which is then not even imported."""
    installed(tmp_path)
    code = """
        plugins.register("heads", "flake", lambda: "mine")
        print(plugins.get("heads", "flake")(), plugins.names("heads").count("flake"))
    """
    assert run(tmp_path, code).split() == ["mine", "1"]
