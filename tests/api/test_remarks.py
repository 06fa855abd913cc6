"""What had to be done to inputs is said once, with counts, by every verb: resampled, averaged, grey, cut."""

import numpy as np
import pytest
from PIL import Image

import icecore
from icecore.data import remark, remarks
from icecore.store import Store
from tests.cli.shell import Shell
from tests.small import BACKBONE, write_colours
from tests.sounds import encoded, tone, write_tones
from tests.texts import WORDS, write_network

SOUNDS = "icecore:audio-s"
RESAMPLED = "were resampled from 44,100 Hz to 16,000 Hz"
AVERAGED = "were averaged from 2 channels to one"
GREY, ALPHA = "are grey and were read as RGB", "have an alpha channel and were put on white"
CUT = "are longer than the network reads: their ends were left out"


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """Ten tones at the network's rate, and six at another, two of them in stereo."""
    folder = write_tones(tmp_path_factory.mktemp("tones"), each=5)
    for i in range(6):
        samples = tone(0.4, 300.0 + i, rate=44100, seed=50 + i)
        (folder / "low" / f"cd{i}.wav").write_bytes(encoded(np.stack([samples] * 2, 1) if i < 2 else samples, 44100))
    return folder


def test_sounds_are_adapted_aloud(tones, tmp_path):
    """Rate and channels, in sentences and in JSON; what comes from the store was said when it was computed."""
    shell = Shell(tmp_path)
    words = ("extract", tones, "-b", SOUNDS, "--out", "f.npy")
    done = shell(*words)
    assert f"Note: 6 of the 16 sounds computed now (37.5%) {RESAMPLED}.\n" in done.err
    assert f"Note: 2 of the 16 sounds computed now (12.5%) {AVERAGED}.\n" in done.err
    assert shell(*words, "--json").json["extraction"]["remarks"] == {}
    found = shell(*words, "--store", "other", "--json").json
    assert found["extraction"]["remarks"] == {RESAMPLED: 6, AVERAGED: 2}
    assert found["notes"] == [
        f"6 of the 16 sounds computed now (37.5%) {RESAMPLED}.",
        f"2 of the 16 sounds computed now (12.5%) {AVERAGED}.",
    ]


def test_fit_predict_and_evaluate_say_it(tones, tmp_path):
    """Each of what it computed itself; in memory as in files."""
    shell, options = Shell(tmp_path), ("--head", "ridge", "--repeats", "1", "--store", "a")
    fitted = shell("fit", tones, "-b", SOUNDS, *options, "--out", "m", "--json").json
    assert any(RESAMPLED in note for note in fitted["notes"])
    predicted = shell("predict", "m", tones / "low" / "cd0.wav", "--store", "b", "--json").json
    assert predicted["notes"] == [f"1 of the 1 sounds computed now (100.0%) {what}." for what in (AVERAGED, RESAMPLED)]
    assert f"Note: {predicted['notes'][0]}" in shell("predict", "m", tones / "low" / "cd0.wav", "--store", "c").err
    assert RESAMPLED in " ".join(shell("evaluate", "m", tones, "--store", "d", "--json").json["notes"])
    stereo = (np.stack([tone(0.3, rate=44100)] * 2), 44100)
    found = icecore.TransferModel.load(tmp_path / "m").predict([stereo], store=tmp_path / "e")
    assert [RESAMPLED in note or AVERAGED in note for note in found.notes] == [True, True]


def test_images_are_adapted_aloud(tmp_path):
    """Grey and transparent ones, of files and arrays; those in colour are not spoken of."""
    folder = write_colours(tmp_path / "colours", 2)
    Image.new("L", (20, 20), 7).save(folder / "grey.png")
    Image.new("I;16", (20, 20), 9).save(folder / "deep.png")
    Image.new("RGBA", (20, 20), (1, 2, 3, 4)).save(folder / "alpha.png")
    net = icecore.PretrainedModel.load(BACKBONE)
    found = net.extract_features(sorted(folder.rglob("*.png")), progress=False)
    assert dict(found.report.remarks) == {GREY: 2, ALPHA: 1}
    arrays = [np.full((20, 20), 3, np.uint8), np.full((20, 20, 4), 3, np.uint8), np.full((20, 20, 3), 3, np.uint8)]
    assert dict(net.extract_features(arrays, progress=False).report.remarks) == {GREY: 1, ALPHA: 1}


def test_cut_texts_are_said_by_every_verb(tmp_path):
    """Also by those that use a saved model."""
    name = f"hf:{write_network('sentence', tmp_path / 'net')}"
    texts = [" ".join(WORDS[i:][: 3 + i]) for i in range(8)]
    labels = ["a", "b"] * 4
    options = {"head": "ridge", "folds": 2, "repeats": 1, "progress": False}
    model = icecore.fit(texts, labels, backbone=name, **options)
    new = [" ".join(WORDS), " ".join(WORDS[::-1]), "a card"]
    sentence = f"2 of the 3 texts computed now (66.7%) {CUT}."
    assert model.predict(new).notes == (sentence,)
    assert model.evaluate(new, ["a", "b", "a"], store=Store(tmp_path / "s"), progress=False).notes == (sentence,)
    found = icecore.PretrainedModel.load(name).extract_features(new, store=Store(tmp_path / "t"), progress=False)
    assert found.notes == (sentence,)


def test_what_only_the_baseline_needs_counts_nothing(tmp_path):
    """Rows whose features are there already, and which are read again for the raw inputs, are not computed."""
    samples = [(tone(0.3, 300.0 + 40 * i, rate=44100, seed=i), 44100) for i in range(8)]
    net = icecore.PretrainedModel.load(SOUNDS)
    net.extract_features(samples, store=Store(tmp_path), progress=False)
    model = icecore.TransferModel(net, head="ridge", layers="last", store=tmp_path)
    report = model.fit(samples, ["a", "b"] * 4, folds=2, repeats=1, progress=False).report
    assert (report.extraction.computed, report.extraction.remarks) == (0, {})


def test_remarks_are_heard_inside_only():
    """Each once; those of an inner listener are its own, and without one nothing happens."""
    remark("unheard")
    with remarks() as outer:
        remark("one")
        with remarks() as inner:
            remark("two")
        remark("one")
    assert (outer, inner) == (["one"], ["two"])
