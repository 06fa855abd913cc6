"""`icecore fit --ensemble` and heads over many layers, from the shell."""

from tests.small import BACKBONE


def test_fit_says_whether_an_ensemble_pays(shell, colours):
    """In words, and with `--json` as one key more."""
    words = ("fit", colours, "-b", BACKBONE, "--ensemble", "--repeats", 1, "--folds", 2)
    out = shell(*words).out
    assert "ensemble" in out.lower()
    found = shell(*words, "--json").json
    assert list(found)[-1] == "ensemble"
    assert set(found["ensemble"]) == {"adopted", "single", "members", "gain", "seconds"}
    assert list(found["ensemble"]["gain"]) == ["value", "low", "high"]


def test_fit_takes_heads_over_many_layers(shell, colours):
    """`--head head2toe` reads every block."""
    found = shell("fit", colours, "-b", BACKBONE, "--head", "head2toe", "--repeats", 1, "--folds", 2, "--json").json
    assert found["head"].startswith("head2toe, penalty ")
    assert found["layer"].count("+") > 1
