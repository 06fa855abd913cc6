"""`explain`: what in each input a prediction rests on, and the training items that it is most like."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from icecore.api.guessing import read_for
from icecore.api.jsonable import bad_json
from icecore.api.model import TransferModel
from icecore.api.one_network import require_one_network
from icecore.api.options import open_progress, open_store
from icecore.api.remembering import features_of, items_of
from icecore.artifact import Evidence, Predictor, TargetRef
from icecore.data import BadItem, Item, load
from icecore.errors import DataError, UsageError
from icecore.explaining import Attribution, Explainer, Grid, Neighbour, Remembered
from icecore.explaining.reading import Reading
from icecore.features import Features, Progress
from icecore.reporting import Explained, write_explained
from icecore.store import Store

NEIGHBOURS = 5


@dataclass(frozen=True)
class Explanations(Sequence[Explained]):
    """Explanations of the good inputs, in their order.

    Attributes:
        target: whose predictions are explained.
        found: one for each input.
        bad: inputs that were set aside.
        notes: sentences to say aloud.
        modality: of the inputs.
        items: the training items, as far as they can be read; None for those that cannot.
    """

    target: str
    found: tuple[Explained, ...]
    bad: tuple[BadItem, ...]
    notes: tuple[str, ...]
    modality: str
    items: Sequence[Item | None] = ()

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, index: Any) -> Any:
        return self.found[index]

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write them to a page `.html`, or to a folder: a page, and a PNG picture of each image or sound.

        Raises UsageError where that cannot be.
        """
        return write_explained(Path(path).expanduser(), self.found, self.target, self.modality, self.items)

    def to_json(self) -> list[dict[str, Any]]:
        """One JSON object for each input."""
        return [_json(one) for one in self.found]

    def bad_json(self) -> list[dict[str, Any]]:
        """The inputs set aside."""
        return bad_json(self.bad)


def explain(
    model: TransferModel | str | os.PathLike[str],
    inputs: Any,
    *,
    target: str | None = None,
    label: Any = None,
    neighbours: int = NEIGHBOURS,
    input_col: str | Sequence[str] | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    batch_size: int = 32,
    workers: int | None = None,
    strict: bool = False,
    progress: Progress | bool = False,
) -> Explanations:
    """Why a model says what it says of inputs: which parts speak for the label and which against, and similar items.

    Images under convolutional networks by class activation on the layers that the head reads (Grad-CAM where these have
    no places of their own), under transformers by gradient-weighted attention; texts by integrated gradients on the
    tokens; sounds, heads without slopes and networks that are no torch networks by occlusion.

    Args:
        model: a saved or fitted model.
        inputs: see `TransferModel.predict_targets`.
        target: which target, of a model with several.
        label: the class to explain; by default the most probable one of each input.
        neighbours: how many of the most similar training items to name.
        input_col: see `TransferModel.predict_targets`.
        store: see there.
        batch_size: see there.
        workers: see there.
        strict: see there.
        progress: see there.

    Raises:
        UsageError: pairs, an unknown target.
        DataError: an unknown label.

    Example:
        >>> images = np.random.default_rng(0).integers(0, 255, (20, 32, 32, 3), dtype=np.uint8)
        >>> images[::2] //= 4
        >>> model = TransferModel("icecore:vision-s@random", head="ridge")
        >>> model = model.fit(images, ["dark", "light"] * 10, progress=False)
        >>> found = explain(model, images[:1])[0]
        >>> found.attribution.label, found.attribution.parts.values.shape, found.neighbours[0].label
        ('dark', (56, 56), 'dark')
    """
    loaded = model if isinstance(model, TransferModel) else TransferModel.load(model)
    predictor, told, opened = loaded.predictor, open_progress(progress), open_store(store or loaded.store)
    require_one_network(predictor, "explained", "Explain its members; the one in {} says most.")
    own = _target(predictor, target)
    code = None if label is None else _code(own, label)
    evidence = predictor.evidence
    items = [] if evidence is None else items_of(evidence, predictor.backbone.modality)
    remembered = _remembered(predictor, own, evidence, items, store=opened, progress=told)
    reading = Reading(predictor, own, None if remembered is None else remembered.centre)
    explainer = Explainer(reading)
    dataset = read_for(predictor.backbone, inputs, labelled=False, input_col=input_col)
    features = predictor.features(dataset, opened, batch_size=batch_size, workers=workers, strict=strict, progress=told)
    near = _near(predictor, own, features, remembered, neighbours)
    found = []
    with told.task("explaining", len(features)) as task:
        for at, alike in enumerate(near):
            item = features.dataset.inputs[at]
            why = explainer.explain(load(item, predictor.backbone.modality)[1], code)
            found.append(Explained(item.name, item.row, why, tuple(alike)))
            task.advance(1)
    notes = (*features.notes, *([] if remembered else ["The model keeps no training items, so none are named."]))
    return Explanations(own.name, tuple(found), features.bad, notes, predictor.backbone.modality, items)


def explanations_json(explained: Explanations, predictions: dict[str, Any], out: Path) -> dict[str, Any]:
    """What `icecore predict --explain OUT --json` prints: each prediction with its explanation."""
    lines = [
        {**line, "explanation": own} for line, own in zip(predictions["predictions"], explained.to_json(), strict=True)
    ]
    return {**predictions, "predictions": lines, "explained_in": str(out)}


def _target(predictor: Predictor, name: str | None) -> TargetRef:
    targets = {target.name: target for target in predictor.manifest.targets}
    if name is None and len(targets) == 1:
        return next(iter(targets.values()))
    if name not in targets:
        came = f"There is no target {name!r}." if name else f"This model has {len(targets)} targets."
        raise UsageError(came, expected=f"One of {', '.join(targets)}.", do="Name one with --explain-target (target=).")
    return targets[name]


def _code(target: TargetRef, label: Any) -> int:
    """Of a label, also as a text. Raises DataError for one that the model does not know."""
    names = [str(name) for name in target.classes]
    if str(label) not in names:
        raise DataError(
            f"The model does not know the label {label!r} of {target.name!r}.",
            expected=f"Its classes are {', '.join(names)}." if names else "It predicts numbers.",
        )
    return names.index(str(label))


def _remembered(
    predictor: Predictor,
    target: TargetRef,
    evidence: Evidence | None,
    items: Sequence[Item | None],
    *,
    store: Store,
    progress: Progress,
) -> Remembered | None:
    """The training items with their features, where the model kept which they were and the features can be had."""
    if evidence is None or target.name not in evidence.targets:
        return None
    features = features_of(predictor, evidence, items, store=store, progress=progress).get(target.name)
    if features is None or not np.isfinite(features).all(1).any():
        return None
    own = evidence.targets[target.name]
    plain = own.classes and np.ndim(own.y) == 1
    labels = [own.classes[int(y)] for y in own.y] if plain else np.asarray(own.y).tolist()
    return Remembered(features, evidence.inputs, labels)


def _near(
    predictor: Predictor, target: TargetRef, features: Features, remembered: Remembered | None, most: int
) -> list[list[Neighbour]]:
    if remembered is None or not len(features) or most < 1:
        return [[] for _ in range(len(features))]
    return remembered.nearest(predictor.matrix(features, target), most)


def _json(one: Explained) -> dict[str, Any]:
    why: Attribution = one.attribution
    parts = why.parts
    if isinstance(parts, Grid):
        said: dict[str, Any] = {"attributions": np.round(parts.values, 4).tolist(), "box": list(parts.box)}
    else:
        values = zip(parts.spans, np.round(parts.values, 4).tolist(), strict=True)
        said = {"attributions": [{"word": parts.text[a:b], "start": a, "end": b, "value": v} for (a, b), v in values]}
    near = [{"input": own.input, "label": own.label, "similarity": round(own.similarity, 4)} for own in one.neighbours]
    return {"label": why.label, "probability": why.probability, "method": why.method, **said, "neighbours": near}
