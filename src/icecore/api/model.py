"""`TransferModel`: a frozen network with small heads, from labelled data to a saved model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from icecore import artifact
from icecore.api import describing
from icecore.api.fit_reports import fit_report, require_calibration
from icecore.api.fitting import Settings, fit_target, rows_of
from icecore.api.guessing import read_for
from icecore.api.labels import Labels, Wanted, columns_of, encoded, require_balance, require_classes, require_items
from icecore.api.options import columns_for, open_progress, open_store
from icecore.api.pretrained import PretrainedModel
from icecore.api.reports import Evaluation, FitReport, TuningReport
from icecore.api.scoring import read_labelled, score, seen_before
from icecore.api.tuning import Request, read_data, training_settings, tune
from icecore.artifact import Evidence, Manifest, Predictions, Predictor
from icecore.data import Dataset
from icecore.errors import UsageError
from icecore.features import Features, Progress, extract, too_large
from icecore.prefix import raw_columns
from icecore.prefix.engines import require_engine
from icecore.selection import LAYERED, Calibration, head_name
from icecore.store import Store


class TransferModel:
    """A pretrained network, frozen, with a head for each target.

    Args:
        net: a `PretrainedModel`, or the id of one.
        head: a name, `auto` (layer, head and penalty by cross-validation), a scikit-learn estimator or torch layers.
        layers: a layer or several to choose from; by default every block and `last` for `auto` and for heads over many
            layers (`head2toe`, `layer-sum`), else `last`.
        pooling: see `PretrainedModel.extract_features`; of several one is chosen, with the layer, by cross-validation.
        class_weight: `balanced` to let every class count the same.
        seed: of folds and training.
        store: a folder; by default `ICECORE_STORE` or the user's cache directory.

    Example:
        >>> import numpy as np
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
        pooling: str | Sequence[str] = "mean",
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
        input_col: str | Sequence[str] | None = None,
        folds: int = 5,
        repeats: int | None = None,
        ensemble: bool = False,
        batch_size: int = 32,
        workers: int | None = None,
        memory: int | None = None,
        strict: bool = False,
        task: str | Sequence[str] | Mapping[str, str] | None = None,
        order: Any = None,
        group: str | None = None,
        groups: Any = None,
        calibrate: Calibration = "auto",
        learning_curve: bool = False,
        progress: Progress | bool = True,
    ) -> Self:
        """Extract features, choose and fit a head, and measure the whole procedure on rows that it has not seen.

        With given splits the choice is made on `val` (or by folds of `train`) and scored on `test`; otherwise by
        repeated stratified folds, the choice made anew in each. `report` holds the figures.

        Args:
            data: labelled data: class folders, a table, a data frame, or inputs with `y`.
            y: labels, where `data` holds inputs alone.
            target: label columns of a table.
            input_col: its column with the inputs.
            folds: of the evaluation.
            repeats: times that the folds are drawn anew; by default more for small data.
            ensemble: pick an ensemble of all that the choice tries too, anew in each fold, and take it where it is
                better than the single head beyond the interval; of classes, one a row.
            batch_size: items in one forward pass; of texts, 64 tokens for each.
            workers: threads that read and decode; by default as many as the network needs.
            memory: bytes that features and the work on them may take; by default half of what is available. Features
                that would take more stay in the store: ridge, logistic and svm are then fitted piece by piece, other
                heads on some of the rows, and a part of the rows that is kept apart takes the place of the folds.
            strict: make bad items an error.
            task: `classification`, `multilabel` (several labels a row), `ordinal` or `regression`, for all targets or
                by target; by default regression for fractional or nearly all different numbers, else classification.
            order: of ordinal classes, the lowest first, for all targets or by target; numbers have their own.
            group: column of a table whose rows of one value stay on one side of every split and count as one item.
            groups: the same given beside the data, one value a row.
            calibrate: how probabilities are calibrated, see `icecore.selection.calibrating`.
            learning_curve: also say what twice the labels would bring.
            progress: show it on standard error.

        Raises:
            DataError, HeadError, LayerError, BadItemsError (strict).
        """
        told, wanted = open_progress(progress), Wanted(task, order)
        require_calibration(calibrate)
        y = columns_of(y, wanted)
        columns = {"target": target, "input_col": input_col, "group": group, "groups": groups}
        dataset = read_for(self.net.backbone, data, y=y, labelled=True, **columns)
        # what cannot be learned is told before any work is done
        self._require_heads(encoded(dataset.targets, wanted) if len(dataset) else [], ensemble=ensemble)
        features = self._extract(dataset, batch_size, workers, strict, told)
        require_items(features)
        large = too_large(features, memory)
        labels = encoded(features.dataset.targets, wanted)
        rows, apart = rows_of(features, labels, in_store=large)
        how = (folds, repeats, self.seed, ensemble, calibrate, learning_curve)
        settings = Settings(self.head, self.class_weight, *how)
        fitted = [fit_target(own, rows, settings, told) for own in labels]
        self._report = fit_report(self.net.backbone, features, fitted, apart, in_store=large)
        self._predictor = describing.predictor(self.net, features, fitted, rows.groups)
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
        """Labels and probabilities (or numbers) of inputs, for a model with one target.

        Args:
            inputs: paths, a folder, a table, arrays, images or texts.
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
        input_col: str | Sequence[str] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        batch_size: int = 32,
        workers: int | None = None,
        strict: bool = False,
        coverage: float | None = None,
        progress: Progress | bool = False,
    ) -> dict[str, Predictions]:
        """Predictions by target. Features of inputs seen before come from the store.

        With a coverage, such as 0.95, `.sets` holds for each input the classes that cannot be ruled out, of which the
        true one is that often (see `icecore.evaluation.conformal`). Raises UsageError where that cannot be had.
        """
        dataset = read_for(self.net.backbone, inputs, labelled=False, input_col=input_col)
        return self._fitted.predict(
            dataset,
            store=open_store(store or self.store),
            progress=open_progress(progress),
            batch_size=batch_size,
            workers=workers,
            strict=strict,
            coverage=coverage,
        )

    def evaluate(
        self,
        data: Any,
        y: Any = None,
        *,
        target: str | Sequence[str] | None = None,
        input_col: str | Sequence[str] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        batch_size: int = 32,
        workers: int | None = None,
        strict: bool = False,
        progress: Progress | bool = True,
    ) -> Evaluation:
        """Figures on labelled data that the model has not seen; on its test rows where it has a given split.

        Raises DataError where the labels are none of the model's.
        """
        predictor = self._fitted
        dataset = read_labelled(data, y, target, input_col, predictor)
        features = predictor.features(
            dataset,
            open_store(store or self.store),
            batch_size=batch_size,
            workers=workers,
            strict=strict,
            progress=open_progress(progress),
        )
        notes = (*features.notes, *seen_before(predictor, features))
        return Evaluation(score(predictor, features), len(features), features.bad, notes)

    def fine_tune(
        self,
        data: Any,
        y: Any = None,
        *,
        unfreeze: int | str = 2,
        folds: int | None = None,
        keep: bool = False,
        search: int = 0,
        target: str | Sequence[str] | None = None,
        input_col: str | Sequence[str] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        workers: int | None = None,
        strict: bool = False,
        progress: Progress | bool = True,
        **training: Any,
    ) -> TuningReport:
        """Train the network's last blocks from stored boundaries, and adopt them where that pays.

        The frozen part is run once and read from the store in every epoch. The tuned model takes the place of this one
        only where it is better beyond the interval of their difference, on rows that neither it, nor its early
        stopping, nor the frozen model (refitted without them) has seen.

        Args:
            data: labelled data with the classes of this model; given splits are kept to (`val` stops the training,
                `test` compares).
            y: labels, where `data` holds inputs alone.
            unfreeze: how many of the last blocks are trained; a layer, with which it begins; or `all`.
            folds: of the comparison; 1 compares a quarter of the rows, and that very model is adopted. By default 5
                below a thousand items, which train the adopted model once more on all rows, and 1 from there on.
            keep: adopt the tuned model whatever came out.
            search: settings to try first, the given ones among them; see `icecore.training.searching`. They are judged
                by the rows that stop a training early; the best are then trained with and compared as ever, in one
                fold. Running it again goes on where it was. Needs the extra `optuna`.
            target: see `fit`.
            input_col: see `fit`.
            store: see `predict_targets`.
            workers: threads that read and decode; by default as many as the network needs.
            strict: make bad items an error.
            progress: show it on standard error.
            training: epochs, learning_rate, batch_size and so on: the fields of `icecore.training.TrainingSettings`.

        Returns:
            What was done and how the two compare; `adopted` says which this model now is.

        Raises:
            UsageError, LayerError: what is asked for cannot be trained here.
            DataError: labels that the model does not know.
            TrainingError: the loss is not finite; this model is as it was.
        """
        request = Request(training_settings(unfreeze=unfreeze, **training), folds, keep, search)
        dataset = read_data(data, y, target, input_col, self._fitted)
        report, self._predictor = tune(
            self._fitted,
            dataset,
            request,
            store=open_store(store or self.store),
            progress=open_progress(progress),
            workers=workers,
            strict=strict,
        )
        self.net = _net_of(self._predictor)
        return report

    @property
    def evidence(self) -> Evidence | None:
        """How the fit did on each of its items; None for models that were saved without it."""
        return self._fitted.evidence

    def save(self, path: str | os.PathLike[str], *, include_backbone: bool = False, evidence: bool = True) -> Path:
        """Write the model to a folder, without pickle. Raises ArtifactError, HeadError.

        Args:
            path: a new folder, or a saved model to replace.
            include_backbone: put the network in, to be whole anywhere.
            evidence: keep names of the items, their labels and what was said of them unseen; see `artifact.evidence`.
        """
        folder = Path(path).expanduser()
        self._fitted.save(folder, include_backbone=include_backbone, evidence=evidence)
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
        engine: str = "auto",
        store: Store | str | os.PathLike[str] | None = None,
        require_licence: str | None = None,
        trust_remote_code: bool = False,
    ) -> TransferModel:
        """Load a saved model. The backbone found must be the one that it was trained on.

        Args:
            path: its folder.
            backbone: the same network elsewhere, where its own cannot be found.
            device: where it runs.
            engine: what runs it; see `PretrainedModel.load`. The precision is the model's own.
            store: where features are kept.
            require_licence: see `PretrainedModel.load`.
            trust_remote_code: see `PretrainedModel.load`.

        Raises ArtifactError, FingerprintError, LicenceError.
        """
        given = backbone.backbone if isinstance(backbone, PretrainedModel) else backbone
        predictor = artifact.load(
            Path(path).expanduser(),
            backbone=given,
            device=device,
            engine=require_engine(engine),
            require_licence=require_licence,
            trust_remote_code=trust_remote_code,
        )
        model = cls(_net_of(predictor), store=store)
        model._predictor = predictor
        return model

    @property
    def predictor(self) -> Predictor:
        """Network and heads together, as they are saved. Raises UsageError before `fit`."""
        return self._fitted

    @property
    def _fitted(self) -> Predictor:
        if self._predictor is None:
            raise UsageError("This model has not been fitted.", do="Call fit() with labelled data first.")
        return self._predictor

    def _require_heads(self, labels: Sequence[Labels], *, ensemble: bool) -> None:
        """Raise what making the heads raises."""
        require_balance(self.class_weight, labels)
        require_classes(self.head, labels, ensemble=ensemble)
        for own in labels if not self._open else ():
            own.task.make(self.head, class_weight=self.class_weight, seed=self.seed)

    @property
    def _open(self) -> bool:
        return isinstance(self.head, str) and self.head == "auto"

    def _extract(
        self, dataset: Dataset, batch_size: int, workers: int | None, strict: bool, progress: Progress
    ) -> Features:
        layers = self.layers
        if layers is None:
            layers = "all" if self._open or head_name(self.head) in LAYERED else "last"
        columns = [*raw_columns(self.net.backbone), *columns_for(self.net.backbone, layers, self.pooling)]
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


def _net_of(own: Predictor) -> PretrainedModel:
    return PretrainedModel(own.backbone, changes=own.changes, base=own.base)
