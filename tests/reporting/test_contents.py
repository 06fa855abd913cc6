"""What a report says, from real models: of every modality, of moved, pruned and missing data, of large ones."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icecore import IcecoreError, TransferModel, fit, report
from icecore.reporting.choosing import chosen
from icecore.reporting.page import embedded
from tests.cli.shell import Shell
from tests.reporting.conftest import HOSTILE, SECTIONS
from tests.small import BACKBONE, write_colours
from tests.sounds import write_tones


def data_in(page: Path) -> dict:
    """What the scripts of a page read."""
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"))[1]
    )


def test_the_command_prints_what_it_wrote(saved, tmp_path):
    """`--json` has the file, the sections, what is missing, size and seconds."""
    found = Shell(tmp_path)("report", saved, "--out", "r.html", "--json").json
    assert list(found) == ["out", "sections", "missing", "bytes", "seconds"]
    assert (found["out"], found["sections"], found["missing"]) == ("r.html", SECTIONS, [])
    assert found["bytes"] == (tmp_path / "r.html").stat().st_size
    said = Shell(tmp_path)("report", saved)
    assert said.out.startswith(f"Wrote report.html: {len(SECTIONS)} sections, ")


def test_figures_and_items_agree_with_the_model(saved, written):
    """Labels and predictions on the page are those that the fit kept; wrong ones make up the accuracy."""
    found, evidence = data_in(written), TransferModel.load(saved).evidence
    target = found["targets"][0]
    own = evidence.targets["label"]
    assert [item["name"] for item in found["items"]] == evidence.inputs
    assert target["classes"][0] == HOSTILE
    assert target["y"] == own.y.tolist()
    assert target["called"] == own.proba.argmax(1).tolist()
    right = np.mean(np.array(target["y"]) == np.array(target["called"]))
    assert right == pytest.approx(TransferModel.load(saved).manifest.targets[0].metrics["accuracy"].value)
    assert all(item["picture"].startswith("data:image/webp;base64,") for item in found["items"])
    assert len(target["galleries"]["mistakes"]["rows"]) == target["y"].__len__() - round(right * len(target["y"]))


def test_files_that_moved_are_known_again_by_their_content(hostile, tmp_path):
    """Where files are gone, the page says so and is made from the store; `--data` names where they lie now."""
    place = tmp_path / "here"
    shutil.copytree(hostile, place)
    model = fit(place, backbone=BACKBONE, head="ridge", repeats=1, progress=False)
    place.rename(tmp_path / "there")
    lost = report(model, out=tmp_path / "lost.html", progress=False)
    assert "map" in lost.sections
    assert "48 items of the images could not be shown" in lost.missing[0]
    assert "--data" in lost.missing[0]
    found = report(model, out=tmp_path / "found.html", data=tmp_path / "there", progress=False)
    assert found.missing == []
    assert all("picture" in item for item in data_in(tmp_path / "found.html")["items"])


def test_features_that_were_pruned_are_computed_again(saved, tmp_path):
    """Without its features in the store a report computes them from the files; without these, the map is left out."""
    whole = report(saved, out=tmp_path / "a.html", store=tmp_path / "empty", progress=False)
    assert "map" in whole.sections
    model = fit(write_colours(tmp_path / "gone", 4), backbone=BACKBONE, head="ridge", repeats=1, progress=False)
    shutil.rmtree(tmp_path / "gone")
    bare = report(model, out=tmp_path / "b.html", store=tmp_path / "another", progress=False)
    assert "map" not in bare.sections
    assert "There is no map" in bare.missing[0]


def test_a_model_without_evidence_has_a_shorter_page(hostile, tmp_path):
    """What the manifest holds is shown, and what is missing is said."""
    fit(hostile, backbone=BACKBONE, head="ridge", repeats=1, out=tmp_path / "m", evidence=False, progress=False)
    found = report(tmp_path / "m", out=tmp_path / "r.html", progress=False)
    assert found.sections == ["glance", "made", "missing"]
    assert "Fit it again" in found.missing[0]
    assert "of 100" in (tmp_path / "r.html").read_text("utf-8")


def test_what_features_cost_and_what_the_store_saved_is_said(hostile, saved, tmp_path):
    """The page has the seconds that the fit spent on features, and those that each further use of them saves."""
    fit(hostile, backbone=BACKBONE, head="ridge", repeats=1, out=tmp_path / "m", progress=False, store=tmp_path / "s")
    evidence = TransferModel.load(tmp_path / "m").evidence
    assert evidence.spent["computed"] + evidence.spent["reused"] == 48
    assert evidence.spent["seconds"] > 0
    facts = dict(report(tmp_path / "m", out=tmp_path / "r.html", progress=False, store=tmp_path / "s").contents.facts)
    assert re.match(r"48 items computed in .* s", facts["Features"])
    assert facts["Saved since"].endswith("saved every time")


def test_texts_are_shown_as_texts(tmp_path):
    """A report of texts has the texts, with a map, and no pictures."""
    lines = [f"{word} number {i}" for i in range(12) for word in ("refund", "card")]
    table = tmp_path / "texts.csv"
    table.write_text("text,label\n" + "\n".join(f"{line},{line.split()[0]}" for line in lines), "utf-8")
    model = fit(table, backbone="icecore:text-s", head="ridge", repeats=1, progress=False)
    found = report(model, out=tmp_path / "r.html", progress=False)
    items = data_in(tmp_path / "r.html")["items"]
    assert [item["text"] for item in items] == lines
    assert not any("picture" in item for item in items)
    assert {"map", "confusion", "all"} <= set(found.sections)


def test_sounds_are_shown_as_spectrograms_and_the_telling_ones_can_be_played(tmp_path):
    """Every sound has its spectrogram; those in a gallery have a player."""
    write_tones(tmp_path / "tones", each=8)
    (tmp_path / "tones" / "low" / "0.wav").rename(tmp_path / "tones" / "high" / "wrong.wav")
    model = fit(tmp_path / "tones", backbone="icecore:audio-s@random", head="ridge", repeats=1, progress=False)
    report(model, out=tmp_path / "r.html", progress=False)
    found = data_in(tmp_path / "r.html")
    assert all(item["picture"].startswith("data:image/webp") for item in found["items"])
    told = found["targets"][0]["galleries"]["mistakes"]["rows"]
    assert told
    assert all(found["items"][i]["sound"].startswith("data:audio/mpeg") for i in told)


def test_several_targets_have_a_part_each(tmp_path):
    """Sections of a second target have ids of their own, and the contents say whose they are."""
    write_colours(tmp_path / "c", 6)
    rows = [
        f"c/{path.parent.name}/{path.name},{path.parent.name},{i % 2}"
        for i, path in enumerate(sorted((tmp_path / "c").rglob("*.png")))
    ]
    (tmp_path / "t.csv").write_text("path,colour,odd\n" + "\n".join(rows), "utf-8")
    model = fit(
        tmp_path / "t.csv", target=["colour", "odd"], backbone=BACKBONE, head="ridge", repeats=1, progress=False
    )
    found = report(model, out=tmp_path / "r.html", progress=False)
    assert {"t0-confusion", "t1-confusion"} <= set(found.sections)
    assert ("t1-glance", "odd: At a glance") in found.contents.sections


def test_the_file_is_checked_before_any_work(saved, tmp_path):
    """A name without `.html` and a folder that is not there are errors that say what to do."""
    with pytest.raises(IcecoreError, match=r"'r\.pdf' is no name for a report\. A file that ends in \.html\."):
        report(saved, out=tmp_path / "r.pdf")
    with pytest.raises(IcecoreError, match="Name a file in a folder that exists"):
        report(saved, out=tmp_path / "no" / "r.html")


@given(
    st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner, max_size=3), max_leaves=4)
)
def test_no_text_can_leave_the_script_that_holds_it(value):
    """Whatever is embedded reads back the same and has no sign that a browser takes for markup."""
    written = embedded({"value": value})
    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(written) == {"value": value}


@given(st.integers(1, 300), st.integers(1, 60), st.lists(st.integers(0, 299), max_size=20), st.integers(1, 9))
def test_a_page_of_many_items_has_those_that_matter(total, most, featured, kinds):
    """Featured items are always there, never more than the limit beside them, and every kind of item has some."""
    featured = [row for row in featured if row < total]
    codes = np.arange(total) % kinds
    rows = chosen(total, featured, [codes], most=most)
    assert set(featured) <= set(rows.tolist())
    assert len(rows) == min(total, max(most, len(set(featured))))
    if total > most >= kinds + len(set(featured)):
        assert set(codes[rows]) == set(codes)
