"""`icecore rank`: the table, the JSON, the plot, and what is refused before any work."""

import pytest

from tests.small import BACKBONE

OTHER = f"{BACKBONE}-1"


def test_the_table_has_a_line_for_each_network(shell, colours):
    """Rank with ties marked, accuracy with its interval, scores, and the accuracy by depth."""
    done = shell("rank", colours, "-b", BACKBONE, "-b", OTHER, "-b", "icecore:text-s")
    assert done.status == 0, done.err
    for said in ("18 items, label: 3 classes", "1=", BACKBONE, OTHER, "LogME", "H-score", "LEEP", "by depth", "stages"):
        assert said in done.out
    assert "All 18 items were seen by all networks." in done.out
    assert f"Try: icecore fit {colours} --backbone icecore:vision-s@random" in done.out
    assert "Left out: icecore:text-s: " in done.err
    assert "takes texts" in done.err


def test_json_is_one_object(shell, colours, tmp_path):
    """With --json nothing else is on standard output; the plot is drawn all the same."""
    pytest.importorskip("matplotlib")
    done = shell("rank", colours, "-b", BACKBONE, "--layer", "last", "--json", "--plot", tmp_path / "depth.png")
    assert done.json["ranking"][0]["backbone"] == BACKBONE
    assert done.json["ranking"][0]["rank"] == 1
    assert [layer["layer"] for layer in done.json["ranking"][0]["layers"]] == ["last"]
    assert (tmp_path / "depth.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rank", "DATA"), "Missing option '--backbone'"),
        (("rank", "DATA", "-b", BACKBONE, "--budget", "soon"), "The budget is 'soon'. Expected a time such as 90s"),
        (("rank", "DATA", "-b", BACKBONE, "--plot", "depth.doc"), "'depth.doc' has no ending that says its format."),
        (("rank", "DATA", "-b", BACKBONE, "-b", BACKBONE), "was named twice"),
    ],
)
def test_what_cannot_be_right_is_explained(shell, colours, words, said):
    """In a sentence, with status 2, before any work."""
    done = shell.process(*(str(colours) if word == "DATA" else word for word in words))
    assert done.status == 2
    assert said in done.err
    assert done.out == ""
