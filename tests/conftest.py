"""What every test gets: pinned threads, no network, and a user's folders and store of its own."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Set before anything reads them. Two workers with two threads each would fight for the cores of a small machine.
_threads = "1" if "PYTEST_XDIST_WORKER" in os.environ else os.environ.get("OMP_NUM_THREADS", "2")
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ[_name] = _threads
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"

# Time limits of single examples say more about the machine than about the code.
settings.register_profile("icecore", settings(), deadline=None)
settings.load_profile("icecore")


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real weights and data; the test is skipped where there is none."""
    named = os.environ.get("ICECORE_ASSETS")
    if not named:
        pytest.skip("needs real weights and data: ICECORE_ASSETS is not set")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip(f"needs real weights and data: ICECORE_ASSETS names {named}, which is not a folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _session_user(tmp_path_factory: pytest.TempPathFactory):
    """Fixtures of a wider scope than one test must not touch the real user's folders either."""
    with pytest.MonkeyPatch.context() as patch:
        _move_in(patch, tmp_path_factory.mktemp("session-user"))
        yield


@pytest.fixture(autouse=True)
def _user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a new user with an empty store. The folder is not `tmp_path`, which stays empty for the test."""
    _move_in(monkeypatch, tmp_path_factory.mktemp("user"))


def _move_in(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setenv("ICECORE_STORE", str(home / "store"))
    for name in ("HOME", "USERPROFILE"):
        patch.setenv(name, str(home))
    for name in (
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "APPDATA",
        "LOCALAPPDATA",
        "HF_HOME",
        "TORCH_HOME",
    ):
        patch.setenv(name, str(home / name.lower()))
