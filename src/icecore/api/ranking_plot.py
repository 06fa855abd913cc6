"""A picture of a ranking: how well each layer of each network does, by depth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from icecore.api.ranking_reports import RankedBackbone, Ranking
from icecore.backbones.extras import require
from icecore.errors import UsageError

_FORMATS = (".png", ".svg", ".pdf")
_MARKS = "osD^vPX*<>"


def require_plot(path: str | os.PathLike[str]) -> Path:
    """The file, if a plot can be written to it. Raises UsageError, and MissingExtraError without matplotlib."""
    found = Path(path).expanduser()
    if found.suffix.lower() not in _FORMATS:
        raise UsageError(
            f"{str(path)!r} has no ending that says its format.", expected=f"A plot is {', '.join(_FORMATS)}."
        )
    if not found.parent.is_dir():
        raise UsageError(f"There is no folder {str(found.parent)!r} to write {found.name} to.", do="Make it first.")
    require("matplotlib.figure", "plot")
    return found


def plot(ranking: Ranking, path: str | os.PathLike[str]) -> Path:
    """Draw cross-validated scores by depth, a line with a 95 % band for each network, into a file.

    Several layers side by side have no depth: where these are a network's best, a dotted line stands for them.

    Args:
        ranking: what `rank` gave.
        path: `.png`, `.svg` or `.pdf`.

    Raises:
        UsageError: the ending is none of these, or there is no such folder.
        MissingExtraError: matplotlib is not installed (`pip install 'icecore[plot]'`).
    """
    file = require_plot(path)
    figure = require("matplotlib.figure", "plot").Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for number, one in enumerate(ranking.backbones):
        _draw(axes, one, f"C{number % 10}", _MARKS[number % len(_MARKS)])
    axes.set_xlabel("depth: 0 is the first layer that was compared, 1 the last")
    axes.set_ylabel(f"cross-validated {ranking.score_name} of {ranking.target}")
    axes.grid(alpha=0.3)
    axes.legend(title="rank, network", fontsize="small", loc="best")
    _save(figure, file)
    return file


def _save(figure: Any, file: Path) -> None:
    """The same figure always gives the same file; words in an SVG stay words."""
    dateless = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with require("matplotlib", "plot").rc_context({"svg.hashsalt": "icecore", "svg.fonttype": "none"}):
        figure.savefig(file, metadata=dateless[file.suffix.lower()])


def _draw(axes: Any, one: RankedBackbone, colour: str, mark: str) -> None:
    layers = [layer for layer in one.layers if layer.depth is not None]
    depths = [layer.depth for layer in layers]
    label = f"{one.rank}  {one.backbone if len(one.backbone) <= 60 else '…' + one.backbone[-59:]}"
    axes.plot(depths, [layer.score.value for layer in layers], color=colour, marker=mark, markersize=4, label=label)
    low, high = ([getattr(layer.score, side) for layer in layers] for side in ("low", "high"))
    axes.fill_between(depths, low, high, color=colour, alpha=0.12, linewidth=0)
    together = [layer.score.value for layer in one.layers if layer.depth is None and layer.layer == one.layer]
    for value in together:
        axes.axhline(value, color=colour, linestyle=":", linewidth=1)
