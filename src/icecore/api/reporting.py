"""`report`: one page that says how good a model is, what it gets wrong, and what its data are like."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icecore.api.growing import with_curves
from icecore.api.model import TransferModel
from icecore.api.one_network import main_part
from icecore.api.options import open_progress, open_store
from icecore.api.remembering import features_of, items_in, items_of
from icecore.artifact import Predictor
from icecore.errors import UsageError
from icecore.features import Progress
from icecore.reporting import Contents, Material, build, page
from icecore.store import Store


@dataclass(frozen=True)
class Reported:
    """A report that was written. `to_json` is what `icecore report --json` prints.

    Attributes:
        out: the file.
        sections: ids of what is on the page, in order.
        missing: what is not, and why, in sentences.
        size: of the file, in bytes.
        seconds: that it took.
        contents: everything on the page.
    """

    out: Path
    sections: list[str]
    missing: list[str]
    size: int
    seconds: float
    contents: Contents

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "out": str(self.out),
            "sections": self.sections,
            "missing": self.missing,
            "bytes": self.size,
            "seconds": round(self.seconds, 3),
        }


def report(
    model: TransferModel | str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] = "report.html",
    data: Any = None,
    input_col: Any = None,
    learning_curve: bool | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: Progress | bool = True,
) -> Reported:
    """One self-contained page about a model: how good it is, what it mixes up, what its data are like.

    It is made of what the fit kept with the model, the features in the store, and the items themselves, of which small
    pictures are put into the page. What cannot be had is left out, and the page says so.

    Args:
        model: a saved model, or one in memory.
        out: the file, `.html`; one that is there is replaced.
        data: where the items lie now, if they have moved since the fit: they are known again by their content.
        input_col: column of a table with the inputs, in `data`.
        learning_curve: whether to fit the head on parts of the rows, to see whether more labels would help; by default
            where that takes less than a minute.
        store: where features are kept.
        progress: show it on standard error.

    Raises:
        UsageError: the file cannot be written, or its name does not end in `.html`.
        DataError: `data` cannot be read.
    """
    began = time.monotonic()
    path = _require_html(Path(out).expanduser())
    loaded = model if isinstance(model, TransferModel) else TransferModel.load(model)
    told = open_progress(progress)
    material = _material(loaded.predictor, data, input_col, open_store(store or loaded.store), told)
    if learning_curve is not False:
        material = with_curves(material, loaded.predictor, told, asked=bool(learning_curve))
    contents = build(material, told)
    written = _written(path, page(contents))
    sections = [id_ for id_, _ in contents.sections]
    return Reported(path, sections, list(contents.missing), written, time.monotonic() - began, contents)


def _material(predictor: Predictor, data: Any, input_col: Any, store: Store, told: Progress) -> Material:
    evidence = predictor.evidence
    if evidence is None:
        return Material(predictor.manifest)
    if data is None:
        items = items_of(evidence, predictor.backbone.modality)
    else:
        items = items_in(data, evidence, predictor, input_col=input_col, store=store, progress=told)
    features = features_of(main_part(predictor), evidence, items, store=store, progress=told)
    return Material(predictor.manifest, evidence, items, features)


def _require_html(path: Path) -> Path:
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{path.name!r} is no name for a report.", expected="A file that ends in .html.")
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise UsageError(f"{path} cannot be written.", do="Name a file in a folder that exists with --out.")
    return path


def _written(path: Path, text: str) -> int:
    """Write aside and rename, so that no half page is ever there. Returns the bytes."""
    content = text.encode("utf-8")
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.", do="Choose another place.") from error
    finally:
        with suppress(OSError):  # it has been renamed, or could not be made
            aside.unlink()
    return len(content)
