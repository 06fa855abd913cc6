"""`TransferModel`: a frozen network with small heads, from labelled data to a saved model."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from icecore import artifact, keys
from icecore.api.fitting import FittedTarget, Rows, Settings, encode, fit_target, layers_read
from icecore.api.options import open_progress, open_store
from icecore.api.pretrained import PretrainedModel
from icecore.api.reports import Evaluation, FitReport
from icecore.artifact import DataRef, Figure, Figures, Manifest, Predictions, Predictor, TargetRef
from icecore.backbones import INPUT
from icecore.data import Dataset, read
from icecore.errors import DataError, UsageError
from icecore.evaluation import duplicate_groups, metrics
from icecore.features import Features, Progress, extract
from icecore.prefix import Column, columns_of
from icecore.store import Store

_PACKAGES = ("icecore", "torch", "numpy", "scikit-learn", "pillow")


class TransferModel:
    """A pretrained network, frozen, with a head for each target.

    Args:
        net: a `PretrainedModel`, or the id of one.
        head: a name, `auto` (layer, head and penalty by cross-validation), a scikit-learn classifier or torch layers.
        layers: a layer or several to choose from; by default every block and `last` for `auto`, else `last`.
        pooling: see `PretrainedModel.extract_features`.
        class_weight: `balanced` to let every class count the same.
        seed: of folds and training.
        store: a folder; by default `ICECORE_STORE` or the user's cache directory.

    Example:
        >>> images = np.random.default_rng(0).integers(0, 255, (20, 32, 32, 3), dtype=np.uint8)
        >>> images[::2] //= 4
        >>> model = TransferModel("icecore:vision-s@random", head="ridge")
        >>> model.fit(images, ["dark", "light"] * 10, progress=False).predict(images[:2]).labels.tolist()
        ['dark', 'light']
    """

    def __init__(
        self,
        net: PretrainedModel | str,
        *,
        head: Any = "auto",
        layers: str | int | Sequence[str | int] | None = None,
        pooling: str = "mean",
        class_weight: Literal["balanced"] | None = None,
        seed: int = 0,
        store: Store | str | os.PathLike[str] | None = None,
    ) -> None:
        self.net = PretrainedModel.load(net) if isinstance(net, str) else net
        self.head, self.layers, self.pooling = head, layers, pooling
        self.class_weight, self.seed, self.store = class_weight, seed, store
        self._predictor: Predictor | None = None
        self._report: FitReport | None = None

    def fit(
        self,
        data: Any,
        y: Any = None,
        *,
        target: str | Sequence[str] | None = None,
        input_col: str | None = None,
        folds: int = 5,
        repeats: int | None = None,
        batch_size: int = 32,
        workers: int | None = None,
        strict: bool = False,
        progress: Progress | bool = True,
    ) -> Self:
        """Extract features, choose and fit a head, and measure the whole procedure on rows that it has not seen.

        With given splits the choice is made on `val` (or by folds of `train`) and scored on `test`; otherwise by
        repeated stratified folds, the choice made anew in each. `report` holds the figures.

        Args:
            data: labelled data: class folders, a table, a data frame, or inputs with `y`.
            y: labels, where `data` holds inputs alone.
            target: label columns of a table.
            input_col: its column with paths.
            folds: of the evaluation.
            repeats: times that the folds are drawn anew; by default more for small data.
            batch_size: items in one forward pass.
            workers: threads that read and decode.
            strict: make bad items an error.
            progress: show it on standard error.

        Raises:
            DataError, HeadError, LayerError, BadItemsError (strict).
        """
        told = open_progress(progress)
        dataset = read(data, y=y, target=target, input_col=input_col, labelled=True, modality=self.net.modality)
        features = self._extract(dataset, batch_size, workers, strict, told)
        matrices = {layer: features.matrix(layer) for layer in features.layers if layer != INPUT}
        settings = Settings(self.head, self.class_weight, folds, repeats, self.seed)
        labels = [encode(name, values) for name, values in features.dataset.targets.items()]
        rows = Rows(matrices, features.matrix(INPUT), duplicate_groups(features.rows), _splits(features.dataset))
        fitted = [fit_target(label, rows, settings, told) for label in labels]
        self._report = FitReport(
            "classification",
            self.net.id,
            [one.report for one in fitted],
            len(features),
            features.bad,
            features.report,
            (*self.net.backbone.notes, *dataset.notes),
        )
        self._predictor = self._finished(features, fitted)
        return self

    @property
    def report(self) -> FitReport:
        """What the last fit did. Raises UsageError for loaded models, whose figures are in `manifest`."""
        if self._report is None:
            raise UsageError(
                "This model was not fitted here.", do="Call fit(); a loaded model's figures are in manifest."
            )
        return self._report

    @property
    def manifest(self) -> Manifest:
        """What the model says of itself: backbone, classes, figures, data, licence, versions."""
        return self._fitted.manifest

    @property
    def warnings(self) -> list[str]:
        """What must be said aloud: a licence without commercial use, training rows inside."""
        return artifact.warnings(self.manifest)

    def predict(self, inputs: Any, **options: Any) -> Predictions:
        """Labels and probabilities of inputs, for a model with one target.

        Args:
            inputs: paths, a folder, a table, arrays or images.
            options: those of `predict_targets`.

        Returns:
            A sequence of predictions; `.labels` (n,), `.probabilities` (n, k), `.bad` for what was set aside.
        """
        result = self.predict_targets(inputs, **options)
        if len(result) > 1:
            raise UsageError(
                f"This model has {len(result)} targets: {', '.join(result)}.", do="Use predict_targets, by name."
            )
        return next(iter(result.values()))

    def predict_targets(
        self,
        inputs: Any,
        *,
        input_col: str | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        batch_size: int = 32,
        workers: int | None = None,
        strict: bool = False,
        progress: Progress | bool = False,
    ) -> dict[str, Predictions]:
        """Predictions by target. Features of inputs seen before come from the store."""
        dataset = read(inputs, labelled=False, input_col=input_col, modality=self.net.modality)
        return self._fitted.predict(
            dataset,
            store=open_store(store or self.store),
            progress=open_progress(progress),
            batch_size=batch_size,
            workers=workers,
            strict=strict,
        )

    def evaluate(
        self,
        data: Any,
        y: Any = None,
        *,
        target: str | Sequence[str] | None = None,
        input_col: str | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        batch_size: int = 32,
        workers: int | None = None,
        strict: bool = False,
        progress: Progress | bool = True,
    ) -> Evaluation:
        """Figures on labelled data that the model has not seen; on its test rows where it has a given split.

        Raises DataError where the labels are none of the model's.
        """
        names = [t.name for t in self.manifest.targets]
        dataset = read(data, y=y, target=target, input_col=input_col, labelled=True, modality=self.net.modality)
        dataset, notes = _unseen(dataset)
        features = self._fitted.features(
            dataset,
            open_store(store or self.store),
            batch_size=batch_size,
            workers=workers,
            strict=strict,
            progress=open_progress(progress),
        )
        given = _matched(features.dataset.targets, names)
        figures = {t.name: self._scored(features, t, given[t.name]) for t in self.manifest.targets}
        return Evaluation(figures, len(features), features.bad, (*dataset.notes, *notes))

    def save(self, path: str | os.PathLike[str], *, include_backbone: bool = False) -> Path:
        """Write the model to a folder, without pickle. Raises ArtifactError, HeadError.

        Args:
            path: a new folder, or a saved model to replace.
            include_backbone: put the network in, to be whole anywhere.
        """
        folder = Path(path).expanduser()
        artifact.save(folder, self._fitted, include_backbone=include_backbone)
        if self._report is not None:
            self._report.model = folder
        return folder

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        backbone: PretrainedModel | str | None = None,
        device: str | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        require_licence: str | None = None,
        trust_remote_code: bool = False,
    ) -> TransferModel:
        """Load a saved model. The backbone found must be the one that it was trained on.

        Raises ArtifactError, FingerprintError, LicenceError.
        """
        given = backbone.backbone if isinstance(backbone, PretrainedModel) else backbone
        predictor = artifact.load(
            Path(path).expanduser(),
            backbone=given,
            device=device,
            require_licence=require_licence,
            trust_remote_code=trust_remote_code,
        )
        model = cls(PretrainedModel(predictor.backbone), store=store)
        model._predictor = predictor
        return model

    @property
    def _fitted(self) -> Predictor:
        if self._predictor is None:
            raise UsageError("This model has not been fitted.", do="Call fit() with labelled data first.")
        return self._predictor

    def _extract(
        self, dataset: Dataset, batch_size: int, workers: int | None, strict: bool, progress: Progress
    ) -> Features:
        layers = self.layers
        if layers is None:
            layers = "all" if self.head == "auto" else "last"
        columns = [Column(INPUT, "thumbnail"), *columns_of(self.net.backbone, layers, self.pooling)]
        return extract(
            self.net.backbone,
            dataset,
            columns,
            store=open_store(self.store),
            batch_size=batch_size,
            workers=workers,
            strict=strict,
            progress=progress,
        )

    def _finished(self, features: Features, fitted: Sequence[FittedTarget]) -> Predictor:
        used = layers_read([one.candidate for one in fitted])
        columns = [column for column in features.columns if column.layer in used and column.layer != INPUT]
        manifest = Manifest(
            icecore=version("icecore"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            modality=self.net.modality,
            backbone=artifact.describe(self.net.backbone, columns),
            targets=tuple(_target_ref(one, [column.layer for column in columns]) for one in fitted),
            data=_data_ref(features),
            versions={"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
        )
        return Predictor(manifest, self.net.backbone, {one.labels.name: one.head for one in fitted})

    def _scored(self, features: Features, target: TargetRef, values: np.ndarray) -> Any:
        code = {label: number for number, label in enumerate(target.classes)}
        plain = [_as_class(value, code) for value in values.tolist()]
        unknown = sorted({str(value) for value in plain if value not in code})
        if unknown:
            raise DataError(
                f"The data has labels of {target.name!r} that the model does not know: {', '.join(unknown[:5])}.",
                expected=f"Its classes are {', '.join(map(str, target.classes))}.",
                do="Evaluate on data with these classes, or fit again with the new ones.",
            )
        codes = np.array([code[value] for value in plain], dtype=np.int64)
        proba = self._fitted.heads[target.name].predict_proba(self._fitted.matrix(features, target))
        return metrics(codes, proba, len(target.classes), groups=duplicate_groups(features.rows))


def _splits(dataset: Dataset) -> np.ndarray | None:
    """The given split, if it leaves something to score."""
    splits = dataset.splits
    return splits if splits is not None and set(splits.tolist()) - {"train"} else None


def _unseen(dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    if dataset.splits is None or "test" not in dataset.splits.tolist():
        return dataset, ()
    return dataset.take(dataset.splits == "test"), ("Scored on the test split of the data.",)


def _matched(given: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Labels by the model's own target names; with one of each, the names need not agree."""
    if len(given) == len(names) == 1:
        return {names[0]: next(iter(given.values()))}
    missing = [name for name in names if name not in given]
    if missing:
        raise DataError(
            f"The data has no column {', '.join(missing)}.", expected=f"The model's targets are {', '.join(names)}."
        )
    return {name: given[name] for name in names}


def _as_class(value: Any, code: Mapping[Any, int]) -> Any:
    """A label as the model knows it: from a table everything is text."""
    if value in code:
        return value
    return next((label for label in code if str(label) == str(value)), value)


def _target_ref(fitted: FittedTarget, layers: Sequence[str]) -> TargetRef:
    layer = fitted.candidate.layer
    read_layers = [layer] if isinstance(layer, str) else layer
    report = fitted.report
    return TargetRef(
        name=fitted.labels.name,
        task="classification",
        classes=fitted.labels.classes,
        columns=tuple(layers.index(name) for name in read_layers),
        head={},
        chosen={"head": report.head, "because": report.chosen_because, "by_layer": report.by_layer},
        stores_training_rows=fitted.head.stores_training_rows,
        metrics=_figures(report.metrics),
        baselines={name: _figures(found) for name, found in report.baselines.items()},
        evaluation=report.evaluation,
    )


def _figures(found: Mapping[str, Any]) -> Figures:
    return {n: None if e is None else Figure(value=e.value, low=e.low, high=e.high) for n, e in found.items()}


def _data_ref(features: Features) -> DataRef:
    labels = {name: [str(value) for value in values] for name, values in features.dataset.targets.items()}
    fingerprint = keys.key("data", {"rows": [row.hex() for row in features.rows], "labels": labels})
    name = Path(features.dataset.source).name or features.dataset.source
    return DataRef(name=name, items=len(features), bad_items=len(features.bad), fingerprint=fingerprint)
