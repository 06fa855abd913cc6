"""The verbs: one public function for each command of the shell."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from icecore import artifact
from icecore.api.guessing import read_as_any
from icecore.api.labels import Wanted, columns_of
from icecore.api.model import TransferModel
from icecore.api.pretrained import PretrainedModel
from icecore.api.reports import Evaluation, Extraction, TuningReport
from icecore.artifact import Predictions
from icecore.data import Dataset, modality_named
from icecore.errors import UsageError
from icecore.features import Progress, write, writer_for

BUNDLED = {"image": "icecore:vision-s", "text": "icecore:text-s", "sound": "icecore:audio-s"}
LARGER = {
    "image": "On photographs a larger one will do better, for instance --backbone timm:resnet50.a1_in1k",
    "text": "A larger one will do better, for instance --backbone hf:sentence-transformers/all-MiniLM-L6-v2",
    "sound": "A larger one will do better, for instance --backbone hf:MIT/ast-finetuned-audioset-10-10-0.4593",
}


def fit(
    data: Any,
    y: Any = None,
    *,
    backbone: str | PretrainedModel | None = None,
    out: str | os.PathLike[str] | None = None,
    head: Any = "auto",
    layers: str | int | Sequence[str | int] | None = None,
    pooling: str | Sequence[str] = "mean",
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
    include_backbone: bool = False,
    evidence: bool = True,
    preprocess: Any = None,
    device: str | None = None,
    precision: str = "float32",
    engine: str = "auto",
    store: Any = None,
    require_licence: str | None = None,
    trust_remote_code: bool = False,
    **options: Any,
) -> TransferModel:
    """Fit a small model on frozen features: of classes, several labels a row, classes in an order, or numbers.

    Args:
        data: labelled data.
        y: labels, where `data` holds inputs alone.
        backbone: an id, or a loaded network; by default a small one that is bundled, `icecore:vision-s` for images,
            `icecore:text-s` for texts and `icecore:audio-s` for sounds.
        out: a folder to save the model in; checked before any work is done.
        head: see `TransferModel`.
        layers: see `TransferModel`.
        pooling: see `TransferModel`.
        class_weight: see `TransferModel`.
        seed: see `TransferModel`.
        include_backbone: see `TransferModel.save`.
        evidence: see `TransferModel.save`.
        preprocess: see `PretrainedModel.load`.
        device: see `PretrainedModel.load`.
        precision: see `PretrainedModel.load`.
        engine: see `PretrainedModel.load`.
        store: a folder for features.
        require_licence: see `PretrainedModel.load`.
        trust_remote_code: see `PretrainedModel.load`.
        options: those of `TransferModel.fit`: target, input_col, task, order, group, groups, calibrate, learning_curve,
            folds, repeats, ensemble, batch_size, workers, memory, strict, progress.

    Returns:
        The fitted model; `model.report` holds the figures.
    """
    if out is not None:
        artifact.require_writable(Path(out).expanduser())
    note = ""
    if backbone is None:
        data, y = _read(data, columns_of(y, Wanted(options.get("task"))), options), None
        backbone, note = _bundled(data)
    net = _net(
        backbone,
        preprocess=preprocess,
        device=device,
        precision=precision,
        engine=engine,
        require_licence=require_licence,
        trust_remote_code=trust_remote_code,
    )
    model = TransferModel(
        net, head=head, layers=layers, pooling=pooling, class_weight=class_weight, seed=seed, store=store
    )
    model.fit(data, y, **options)
    if note:
        model.report.notes = (note, *model.report.notes)
    if out is not None:
        model.save(out, include_backbone=include_backbone, evidence=evidence)
    return model


def _read(data: Any, y: Any, options: Mapping[str, Any]) -> Dataset:
    """The data, whatever they are."""
    columns = {name: options.get(name) for name in ("target", "input_col", "group", "groups")}
    return read_as_any(data, y=y, labelled=True, **columns)


def _bundled(data: Dataset) -> tuple[str, str]:
    """The bundled network for such data, and what to say of it. Raises UsageError where there is none."""
    if data.modality not in BUNDLED:
        raise UsageError(
            f"{data.source} holds {modality_named(data.modality).noun}, and no network for these comes with icecore.",
            do="Name one with --backbone, an id or a local folder, such as hf:FOLDER.",
        )
    name = BUNDLED[data.modality]
    return name, (
        f"no --backbone was given, so the features are those of {name}, a small network that comes with icecore. "
        f"{LARGER[data.modality]} (`icecore backbones` lists some)."
    )


def predict(model: TransferModel | str | os.PathLike[str], inputs: Any, **options: Any) -> Predictions:
    """Predictions of a saved or fitted model. Options are those of `TransferModel.predict_targets`."""
    return _model(model).predict(inputs, **options)


def evaluate(model: TransferModel | str | os.PathLike[str], data: Any, y: Any = None, **options: Any) -> Evaluation:
    """Figures of a saved or fitted model on labelled data. Options are those of `TransferModel.evaluate`."""
    return _model(model).evaluate(data, y, **options)


def fine_tune(
    model: TransferModel | str | os.PathLike[str],
    data: Any,
    y: Any = None,
    *,
    out: str | os.PathLike[str] | None = None,
    include_backbone: bool = False,
    **options: Any,
) -> TuningReport:
    """Fine-tune a saved or fitted model, and save it where it was adopted.

    Args:
        model: a saved model, or one in memory.
        data: labelled data.
        y: labels, where `data` holds inputs alone.
        out: where to save an adopted model; by default in the place of the saved one. A model in memory is not saved
            without it.
        include_backbone: see `TransferModel.save`; a model that holds its network keeps it.
        options: those of `TransferModel.fine_tune`.
    """
    saved = None if isinstance(model, TransferModel) else Path(model).expanduser()
    target = saved if out is None else Path(out).expanduser()
    if target is not None:
        artifact.require_writable(target)
    loaded = _model(model)
    whole = include_backbone or all(network.included for network in loaded.manifest.networks)
    report = loaded.fine_tune(data, y, **options)
    report.model = saved
    if report.adopted and target is not None:
        report.model = target
        if report.leads:
            loaded.save(target, include_backbone=whole)
    return report


def extract(
    data: Any,
    *,
    backbone: str | PretrainedModel,
    out: str | os.PathLike[str],
    layers: str | int | Sequence[str | int] = "last",
    pooling: str | Sequence[str] = "mean",
    preprocess: Any = None,
    device: str | None = None,
    precision: str = "float32",
    engine: str = "auto",
    require_licence: str | None = None,
    trust_remote_code: bool = False,
    progress: Progress | bool = True,
    **options: Any,
) -> Extraction:
    """Features of a data set into a file: `.parquet`, `.arrow`, `.npy`, `.npz` or `.safetensors`.

    Args:
        data: see `PretrainedModel.extract_features`.
        backbone: an id, or a loaded network.
        out: the file; its ending is checked before any work is done.
        layers: see `PretrainedModel.extract_features`.
        pooling: see there.
        preprocess: see `PretrainedModel.load`.
        device: see there.
        precision: see there.
        engine: see there.
        require_licence: see there.
        trust_remote_code: see there.
        progress: show it on standard error.
        options: target, input_col, store, batch_size, workers, strict.
    """
    path = Path(out).expanduser()
    writer_for(path)
    net = _net(
        backbone,
        preprocess=preprocess,
        device=device,
        precision=precision,
        engine=engine,
        require_licence=require_licence,
        trust_remote_code=trust_remote_code,
    )
    features = net.extract_features(data, layers=layers, pooling=pooling, progress=progress, **options)
    write(features, path)
    return Extraction(features, path, (*net.backbone.notes, *features.notes))


def _model(model: TransferModel | str | os.PathLike[str]) -> TransferModel:
    return model if isinstance(model, TransferModel) else TransferModel.load(model)


def _net(backbone: str | PretrainedModel, **how: Any) -> PretrainedModel:
    return backbone if isinstance(backbone, PretrainedModel) else PretrainedModel.load(backbone, **how)
