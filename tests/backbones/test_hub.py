"""Networks by hub id: read from a cache as the hub lays it out, and one sentence for what is not there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from icecore.backbones import load, save
from icecore.prefix import Column, column_key
from tests.backbones.test_static import make_model
from tests.networks import of_hf
from tests.texts import write_network, write_steps

SHA, OTHER = "a" * 40, "b" * 40
CARD = "---\nlicense: apache-2.0\n---\n# A network\n"
SCRIPT = """
import json, sys
from icecore.backbones import load
from icecore.errors import IcecoreError
from icecore.prefix import Column, column_key
for name in sys.argv[1:]:
    try:
        net = load(name, device="cpu")
        print(json.dumps({
            "key": column_key(net, Column("last", "none")), "licence": [net.licence.name, net.licence.source],
            "source": net.source, "architecture": dict(net.architecture),
        }))
    except IcecoreError as error:
        print(json.dumps({"error": type(error).__name__, "says": str(error)}))
"""


def put(cache: Path, name: str, folder: Path, commit: str = SHA, *refs: str) -> None:
    """A folder into the hub's cache, as the hub lays it out."""
    place = cache / "hub" / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / commit)
    (place / "refs").mkdir(exist_ok=True)
    for ref in refs or ("main",):
        (place / "refs" / ref).write_text(commit, "ascii")


def loaded(cache: Path, *names: str, **environment: str) -> list[dict]:
    """What a fresh process, whose cache this is and which reaches no hub, makes of ids."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    env |= {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"} | environment
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names], capture_output=True, text=True, env=env, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def sentence(tmp_path_factory):
    """A folder of sentence-transformers with a dense step, and its card."""
    folder = write_network("sentence", tmp_path_factory.mktemp("sentence") / "net")
    (folder / "README.md").write_text(CARD, "utf-8")
    return folder


def last_key(folder: Path) -> str:
    return column_key(load(f"hf:{folder}", device="cpu"), Column("last", "none"))


def test_sentence_transformers_by_hub_id(sentence, tmp_path):
    """The steps of `modules.json` are followed, as those of the same folder are; revisions are told apart."""
    put(tmp_path, "org/sentences", sentence)
    other = shutil.copytree(sentence, tmp_path / "other")
    write_steps(other, [("Pooling", {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True})])
    (other / "README.md").write_text(CARD.replace("apache-2.0", "cc-by-nc-4.0"), "utf-8")
    put(tmp_path, "org/sentences", other, OTHER, "v2")
    names = ["hf:org/sentences", "org/sentences@v2", f"hf:org/sentences@{OTHER}", "hf:org/sentences@random"]
    first, second, commit, random = loaded(tmp_path, *names)
    assert first["key"] == last_key(sentence)
    assert [step["type"] for step in first["architecture"]["sentence"]] == ["Pooling", "Normalize"]
    assert first["licence"] == ["apache-2.0", "README.md of org/sentences"]
    assert first["source"] == f"org/sentences, revision {SHA[:12]}"
    assert second["key"] == commit["key"] == last_key(other) != first["key"]
    assert second["licence"][0] == "cc-by-nc-4.0"
    assert random["source"] == "random weights"


def test_images_by_hub_id(tmp_path):
    """Configuration, processor and weights come from one commit; without a connection that is quick."""
    folder = tmp_path / "net"
    of_hf(folder)
    put(tmp_path, "org/images", folder)
    unreachable = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "https://hub.invalid"}
    for environment in ({}, unreachable):
        (found,) = loaded(tmp_path, "hf:org/images", **environment)
        assert found["key"] == last_key(folder)
        assert found["licence"] == ["apache-2.0", "README.md of org/images"]


def test_timm_and_static_by_hub_id(tmp_path):
    """timm's own repository of a tag, and a model2vec repository."""
    save(load("timm:test_resnet@random-3", device="cpu"), tmp_path / "timm")
    put(tmp_path, "timm/test_resnet.r160_in1k", tmp_path / "timm")
    model = make_model(tmp_path / "static", mapping=False)
    (model / "README.md").write_text(CARD, "utf-8")
    put(tmp_path, "org/vectors", model)
    timm, static = loaded(tmp_path, "timm:test_resnet.r160_in1k", "static:org/vectors@main")
    assert timm["source"] == f"timm/test_resnet.r160_in1k, revision {SHA[:12]}"
    assert timm["licence"] == ["apache-2.0", "timm pretrained_cfg"]
    assert static["source"] == f"org/vectors, revision {SHA[:12]}"
    assert static["licence"] == ["apache-2.0", "README.md of org/vectors"]
    assert static["key"] == column_key(load(f"static:{model}", device="cpu"), Column("last", "none"))


def test_what_is_not_there(sentence, tmp_path):
    """One sentence: the id, where it was looked for, and how to put it there."""
    put(tmp_path, "org/sentences", sentence)
    names = ["hf:org/nothing", "org/sentences@v9", "timm:resnet18.a1_in1k", "static:org/vectors", "hf:no/such/folder"]
    hf, revision, timm, static, path = [found["says"] for found in loaded(tmp_path, *names)]
    assert hf == (
        "hf:org/nothing cannot be loaded: it is not here, and the hub cannot be reached. It was looked for as a local "
        f"path, in the hub's cache {tmp_path / 'hub'}, and on the hub. Check the id. Without a connection, run "
        "`hf download org/nothing` where there is one and copy models--org--nothing from the cache there into the "
        "cache here, or give a local path: hf:PATH"
    )
    assert revision.startswith("hf:org/sentences@v9 cannot be loaded: it is not here")
    assert "`hf download timm/resnet18.a1_in1k`" in timm
    assert "copy models--org--vectors" in static
    assert "hf:no/such/folder cannot be loaded: there is no such file or folder" in path
    assert "`hf download" not in path


def test_a_cache_without_the_weights(sentence, tmp_path):
    """A copy that was broken off says the same."""
    put(tmp_path, "org/sentences", sentence)
    (tmp_path / "hub" / "models--org--sentences" / "snapshots" / SHA / "model.safetensors").unlink()
    (found,) = loaded(tmp_path, "hf:org/sentences")
    assert found["error"] == "WeightsError"
    assert "hf:org/sentences cannot be loaded: " in found["says"]
    assert "copy models--org--sentences" in found["says"]
