"""`api:` against a local server that drops connections, answers 429 and 500, and counts the texts it is paid for."""

import json
import logging
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import icecore
from icecore.backbones import LAST, load, parse
from icecore.backbones.load import plugins
from icecore.data import read
from icecore.errors import BackboneError, PreprocessingError, UsageError
from icecore.features import extract
from icecore.prefix import Column, prefix_key
from icecore.store import Store
from icecore.testing import check_backbone
from tests.backbones.embeddings_server import WIDTH, serving, vector

SECRET = "sk-secret-123"
TEXTS = [f"{word} number {i}" for i in range(30) for word in ("apples", "stars")]
LABELS = ["fruit", "sky"] * 30


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with serving() as server:
        yield server


def net(server, more="", model="small"):
    return load(f"api:{model}?url={server.url}{more}")


def embed(backbone, texts):
    return backbone.run(texts, [LAST], lambda layer, value: value)[LAST].numpy()


def features(backbone, texts, store, **options):
    return extract(backbone, read(texts, modality="text"), [Column(LAST, "none")], store=store, **options)


@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_vectors_are_the_servers(server, encoding):
    """In the order of the texts, whatever order they come in; as base64 or as numbers, whichever was asked for."""
    backbone = net(server, f"&encoding_format={encoding}")
    expected = np.stack([vector(text) for text in TEXTS[:4]])
    np.testing.assert_array_equal(embed(backbone, TEXTS[:4]), expected)
    server.answer_floats = True
    np.testing.assert_allclose(embed(backbone, TEXTS[:4]), expected, rtol=1e-6)
    assert {body["encoding_format"] for body, _ in server.requests} == {encoding}


def test_the_width_may_be_known(server):
    """Then it is the layer's shape; all else is as before."""
    known = net(server, "&dimensions=8")
    assert known.layers()[LAST].shape == (8,)
    check_backbone(known, TEXTS[:3], again=net(server, "&dimensions=8"))


def test_no_text_is_paid_for_twice(server, tmp_path):
    """Two fits, and texts that come twice: each is sent once, and the second fit asks nothing at all."""
    for head in ("logistic", "centroid"):
        fitted = icecore.TransferModel(f"api:small?url={server.url}", head=head, store=str(tmp_path / "store"))
        fitted.fit([*TEXTS, *TEXTS[:10]], [*LABELS, *LABELS[:10]], folds=3, repeats=1, progress=False)
        assert fitted.report.targets[0].metrics["accuracy"].value > 0.9
    assert dict(server.paid) == dict.fromkeys(TEXTS, 1)
    asked = len(server.requests)
    features(net(server), TEXTS, Store(tmp_path / "store"))
    assert len(server.requests) == asked


@pytest.mark.slow
def test_a_killed_run_pays_only_for_what_it_did_not_store(server, tmp_path):
    """Killed without warning in the middle, a run is taken up: only texts after the last commit are sent again."""
    texts = [f"text number {i}" for i in range(140)]
    server.refuses = lambda body: time.sleep(0.05)
    code = (
        "import sys, json; from icecore import PretrainedModel; texts = json.load(open(sys.argv[2]));"
        "net = PretrainedModel.load(sys.argv[1]);"
        "net.extract_features(texts, store=sys.argv[3], batch_size=1, progress=False)"
    )
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    command = [sys.executable, "-c", code, f"api:small?url={server.url}&parallel=2", tmp_path / "texts.json"]
    with subprocess.Popen([*command, tmp_path / "store"]) as run:
        while len(server.paid) < 60:
            time.sleep(0.02)
            assert run.poll() is None
        run.send_signal(signal.SIGKILL)
    while server.now:
        time.sleep(0.02)
    before = len(server.paid)
    server.refuses = lambda body: None
    found = features(net(server), texts, Store(tmp_path / "store"))
    assert len(found.rows) == 140
    assert found.report.reused > 0
    assert server.paid.total() - 140 == before - found.report.reused
    assert set(server.paid) == set(texts)


def test_what_passes_is_tried_again(server):
    """A dropped connection, 500, 502, 503 and 429 with the seconds or the date to wait."""
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    server.troubles = [
        "drop",
        (500, {"Retry-After": 0}, {}),
        (429, {"Retry-After": "0.2"}, {}),
        (503, {"Retry-After": date}, b""),
    ]
    start = time.monotonic()
    np.testing.assert_array_equal(embed(net(server), TEXTS[:2])[0], vector(TEXTS[0]))
    assert time.monotonic() - start > 0.2
    assert len(server.requests) == 5
    assert server.paid.total() == 2


def test_a_failure_loses_nothing_that_came_before(server, tmp_path):
    """What was answered, also at the same time as the failure, is stored; the sentence says what to do."""
    store = Store(tmp_path / "store")
    server.refuses = lambda body: (403, {}, {}) if TEXTS[40] in body["input"] else None
    with pytest.raises(BackboneError, match=r"status 403: it refuses the key.*variable OPENAI_API_KEY"):
        features(net(server), TEXTS, store, batch_size=5)
    paid = dict(server.paid)
    assert len(paid) >= 40
    server.refuses = lambda body: None
    assert features(net(server), TEXTS, store).report.reused == len(paid)
    assert dict(server.paid) == dict.fromkeys(TEXTS, 1)


@pytest.mark.parametrize(
    ("more", "model", "sentence"),
    [
        ("", "none", r"answered with status 404: there is no model 'none'.*The model does not exist"),
        ("/elsewhere", "small", r"answered with status 404"),
        ("&key_env=NO_SUCH_KEY", "small", r"status 401: it refuses the key.*environment variable NO_SUCH_KEY"),
    ],
)
def test_what_does_not_pass_is_one_sentence(server, more, model, sentence):
    """A wrong model, address or key is told at once, and asked once."""
    server.key = SECRET
    with pytest.raises(BackboneError, match=sentence):
        embed(net(server, more, model), TEXTS[:2])
    assert len(server.requests) == 1


def test_a_server_that_is_not_there(server, monkeypatch):
    """After a few attempts, one sentence with the address."""
    monkeypatch.setattr("icecore.backbones.api_client._FIRST_WAIT", 0.01)
    with pytest.raises(
        BackboneError, match=r"http://127\.0\.0\.1:9/v1 gave no embeddings in 4 attempts; the last: Connect"
    ):
        embed(load("api:small?url=http://127.0.0.1:9/v1"), TEXTS[:1])
    server.troubles = [(429, {}, {"error": {"code": "insufficient_quota", "message": "no money"}})]
    with pytest.raises(BackboneError, match="status 429 for the model 'small': no money"):
        embed(net(server), TEXTS[:1])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"<html>", "something else than embeddings"),
        ({"data": []}, "something else than embeddings"),
        ({"data": [{"index": 0, "embedding": [1.0]}]}, "1 vectors for 2 texts"),
        ({"data": [{"index": i, "embedding": [1.0]} for i in range(2)]}, "vectors of 1 numbers instead of 8"),
    ],
)
def test_an_answer_that_is_no_answer(server, body, sentence):
    """Pages, too few vectors, and vectors of another width than was asked for."""
    server.troubles = [(200, {}, body)]
    with pytest.raises(BackboneError, match=sentence):
        embed(net(server, "&dimensions=8"), TEXTS[:2])


def test_a_text_that_is_too_long_fails_alone(server, tmp_path):
    """The server refuses the whole request; the one text is found, with what the server says of it."""
    server.longest = 5
    texts = [*TEXTS[:20], "one two three four five six", *TEXTS[20:]]
    found = features(net(server), texts, Store(tmp_path / "store"))
    assert [(bad.row, bad.reason) for bad in found.bad] == [(20, "the server says: too many tokens")]
    assert dict(server.paid) == dict.fromkeys(TEXTS, 1)


def test_a_server_that_takes_no_text_is_an_error(server, tmp_path):
    """Where it refuses any text, it is not the items that are wrong."""
    server.refuses = lambda body: (400, {}, {"detail": "dimensions is not supported"})
    with pytest.raises(BackboneError, match="status 400 for the model 'small': dimensions is not supported"):
        features(net(server), TEXTS[:6], Store(tmp_path / "store"))


def test_the_key_is_nowhere(server, tmp_path, caplog):
    """Not in keys, ids, artifacts, pickles, logs, nor in errors, though the server repeats it."""
    caplog.set_level(logging.DEBUG)
    server.key = SECRET
    fitted = icecore.TransferModel(f"api:small?url={server.url}", head="centroid", store=str(tmp_path / "store"))
    fitted.fit(TEXTS, LABELS, folds=3, repeats=1, progress=False)
    fitted.save(tmp_path / "model", include_backbone=True)
    server.key = "another"
    with pytest.raises(BackboneError) as refused:
        embed(net(server), TEXTS[:1])
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    told = [str(refused.value), caplog.text, pickle.dumps(fitted.net.backbone).decode("latin-1")]
    assert not [text for text in told if SECRET in text]
    assert not [raw for raw in written if SECRET.encode() in raw]
    assert server.requests[0][1]["Authorization"] == f"Bearer {SECRET}"


def test_a_saved_model_predicts_from_its_server(server, tmp_path):
    """By its id, and by the address in its own copy where the id names none; at another address it is refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", server.url)
        fitted = icecore.TransferModel("api:small", head="centroid", store=str(tmp_path / "store"))
        fitted.fit(TEXTS, LABELS, folds=3, repeats=1, progress=False)
        fitted.save(tmp_path / "whole", include_backbone=True)
        fitted.save(tmp_path / "by-id")
        assert icecore.TransferModel.load(tmp_path / "by-id").predict(["stars above"])[0].label == "sky"
        patch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        assert icecore.TransferModel.load(tmp_path / "whole").predict(["apples again"])[0].label == "fruit"
        with pytest.raises(icecore.errors.IcecoreError, match="its architecture or configuration differs"):
            icecore.TransferModel.load(tmp_path / "by-id")


def test_keys_follow_endpoint_model_and_revision(server):
    """Each of them changes the key; how numbers travel and how fast does not."""
    first = prefix_key(net(server), LAST)
    others = [net(server, "&revision=2"), net(server, "&dimensions=8"), net(server, model="large"), net(server, "/x")]
    assert len({first, *(prefix_key(other, LAST) for other in others)}) == 5
    same = net(server, "/embeddings&rpm=100&parallel=2&encoding_format=float&key_env=OTHER")
    assert prefix_key(same, LAST) == first
    assert prefix_key(load(f"api:small?url={server.url}@2"), LAST) == prefix_key(others[0], LAST)


def test_several_requests_are_in_flight(server, tmp_path):
    """As many as asked for, and no more."""
    server.refuses = lambda body: time.sleep(0.05)
    features(net(server, "&parallel=3"), TEXTS, Store(tmp_path / "store"), batch_size=5)
    assert server.most == 3


def test_requests_a_minute_are_kept_to(server):
    """600 a minute are one every tenth of a second."""
    backbone = net(server, "&rpm=600")
    start = time.monotonic()
    for text in TEXTS[:4]:
        embed(backbone, [text])
    assert 0.3 <= time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("api:m?url=http://user:sk-secret@host/v1", UsageError, "holds a user, a password or a query"),
        ("api:m?url=ftp://host", UsageError, "no plain http address"),
        ("api:m?key=sk-secret", UsageError, "A key is never part of an id"),
        ("api:m?dimensions=many", UsageError, "is a whole number"),
        ("api:m?encoding_format=hex", UsageError, "float or base64"),
        ("api:m@random", UsageError, "no random weights"),
    ],
)
def test_ids_that_cannot_be_right(name, kind, sentence):
    """Each has its sentence, which repeats no secret."""
    with pytest.raises(kind, match=sentence) as error:
        load(name)
    assert "sk-secret" not in str(error.value)


def test_nothing_is_asked_before_it_is_needed(server):
    """Loading and listing layers makes no request; a preprocessing for it is refused."""
    backbone = net(server)
    assert backbone.layers()[LAST].shape == (-1,)
    assert backbone.notes == (f"texts are sent to {server.url}",)
    with pytest.raises(PreprocessingError, match="takes texts as they are"):
        plugins.get("backbones", "api").load(parse(backbone.id), preprocess=lambda x: x, trust_remote_code=False)
    assert server.requests == []
    embed(backbone, TEXTS[:1])
    assert backbone.layers()[LAST].shape == (WIDTH,)
