"""The picture of a ranking."""

import pytest
from PIL import Image

import icecore
from icecore.api import plot_ranking
from icecore.errors import UsageError
from tests.small import BACKBONE


@pytest.fixture(scope="module")
def ranking(colours, store):
    return icecore.rank(colours, [BACKBONE, f"{BACKBONE}-1"], store=store, progress=False)


def test_a_plot_is_a_picture_of_every_network(ranking, tmp_path):
    """The SVG names all networks with their ranks and what its axes are; the PNG can be opened."""
    pytest.importorskip("matplotlib")
    drawn = plot_ranking(ranking, tmp_path / "depth.svg").read_text("utf-8")
    for said in ("<svg", BACKBONE, f"{BACKBONE}-1", "cross-validated accuracy of label", "depth: 0 is the first layer"):
        assert said in drawn
    picture = Image.open(plot_ranking(ranking, tmp_path / "depth.png"))
    assert picture.width > 600
    assert len(picture.convert("RGB").getcolors(100_000)) > 10


def test_the_same_ranking_is_drawn_the_same(ranking, tmp_path):
    """No date and no number by chance in an SVG."""
    pytest.importorskip("matplotlib")
    one, other = (plot_ranking(ranking, tmp_path / f"{name}.svg").read_bytes() for name in "ab")
    assert one == other


@pytest.mark.parametrize(("name", "said"), [("depth.jpeg2", "no ending that says"), ("none/depth.png", "no folder")])
def test_a_file_that_cannot_be_drawn_is_refused(ranking, tmp_path, name, said):
    """By its ending, or where its folder is not there."""
    with pytest.raises(UsageError, match=said):
        plot_ranking(ranking, tmp_path / name)
