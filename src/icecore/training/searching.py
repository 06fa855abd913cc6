"""A search among the settings of a fine-tuning, by Optuna (Akiba et al. 2019): pruned, and gone on with when run again.

A trial is a training like any other, on the same rows, from the same boundaries; it is judged on the rows that stop it
early. Those that the tuned model is compared on in the end, no trial sees. The first trial has the settings as they
were given. Later ones are drawn by a tree-structured Parzen estimator, and a trial whose held-out loss is worse than
the median of the others at the same epoch is given up.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore import keys
from icecore.backbones.extras import require
from icecore.errors import TrainingError, UsageError
from icecore.features import tell
from icecore.store.locks import locked
from icecore.training.checkpoints import Checkpoints

if TYPE_CHECKING:
    from icecore.training.loop import Epoch
    from icecore.training.settings import TrainingSettings
    from icecore.training.tuning import Tuner

FOLDER = "searches"
_UNFREEZE, _FAILED, _TAKEN_UP = "unfreeze", "failed", "taken up"
_UNPRUNED_TRIALS, _UNPRUNED_EPOCHS = 4, 2  # before anything is given up
_LEAST_DECAY = 1e-3


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        depth: which of the cuts is best, by its number.
        settings: the best ones.
        chosen: what of them was searched, by name; `unfreeze` is the number of the last blocks.
        loss: on the held-out rows, of the best trial.
        given_loss: of the settings as they were given; None where that trial failed.
        trials: how many there are by now.
        pruned: how many of them were given up.
        failed: how many of them came to no finite loss.
        earlier: how many of them an earlier run had made.
        seconds: that this run took.
        file: their journal.
    """

    depth: int
    settings: TrainingSettings
    chosen: dict[str, Any]
    loss: float
    given_loss: float | None
    trials: int
    pruned: int
    failed: int
    earlier: int
    seconds: float
    file: Path

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "trials": self.trials,
            "pruned": self.pruned,
            "failed": self.failed,
            "earlier": self.earlier,
            "chosen": self.chosen,
            "held_out_loss": self.loss,
            "given_held_out_loss": self.given_loss,
            "seconds": round(self.seconds, 3),
            "journal": str(self.file),
        }


def space_of(trial: Any, given: TrainingSettings, depths: int, *, norms: bool) -> dict[str, Any]:
    """Draw what is searched. Each range holds what was given.

    `learning_rate`: a tenth to ten times the given one, evenly in its logarithm; `layer_decay`: 0.5 to 1;
    `weight_decay`: 0.001 to 0.3, in its logarithm; `label_smoothing`: 0 to 0.2; `mixup`: 0, 0.2 or 0.4; `train_norm`
    where there are batch norms; `unfreeze`, from the last block alone down to what was asked for.
    """
    decay, mixups = max(given.weight_decay, _LEAST_DECAY), sorted({0.0, 0.2, 0.4, given.mixup})
    rate = given.learning_rate
    drawn: dict[str, Any] = {
        "learning_rate": trial.suggest_float("learning_rate", rate / 10, min(10 * rate, 9.0), log=True),
        "layer_decay": trial.suggest_float("layer_decay", min(0.5, given.layer_decay), 1.0),
        "weight_decay": trial.suggest_float("weight_decay", _LEAST_DECAY, max(0.3, decay), log=True),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, max(0.2, given.label_smoothing)),
        "mixup": trial.suggest_categorical("mixup", mixups),
    }
    if norms and not given.lora:
        drawn["train_norm"] = trial.suggest_categorical("train_norm", [False, True])
    if depths > 1:
        drawn[_UNFREEZE] = trial.suggest_int(_UNFREEZE, 1, depths)
    return drawn


def search(tuners: Sequence[Tuner], rows: np.ndarray, held: np.ndarray, *, trials: int, root: Path, key: str) -> Search:
    """Try settings until there are so many trials, those of earlier runs included.

    Args:
        tuners: for each number of unfrozen blocks that may be tried, the last block alone first; with the given
            settings. All read the same boundaries.
        rows: positions of the training items.
        held: positions of those that judge a trial.
        trials: how many.
        root: of the store; the journal lies beside its tables.
        key: of everything that the trials derive from.

    Raises MissingExtraError without optuna; UsageError where another process searches, or no rows can judge;
    TrainingError where no trial came to a finite loss.
    """
    _require_rows(held)
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f"{key}.lock", shared=False, patience=0) as outcome:
        if outcome == "busy":
            raise UsageError("Another process is at this search.", do="Wait until it is done, then run it again.")
        return _Running(tuners, rows, held, trials, root, key).run()


@dataclass(frozen=True)
class _Running:
    """A search that goes on."""

    tuners: Sequence[Tuner]
    rows: np.ndarray
    held: np.ndarray
    trials: int
    root: Path
    key: str

    def run(self) -> Search:
        """Take up what was interrupted, and try until there are enough."""
        study = self._study()
        self._take_up(study)
        began = time.monotonic()
        earlier = len(_finished(study))
        for tuner in self.tuners:
            tuner.frozen(self.rows[:0])  # what all trials share, before they part
        study.optimize(self._objective, n_trials=max(0, self.trials - earlier))
        return self._found(study, earlier, time.monotonic() - began)

    def _study(self) -> Any:
        optuna = require("optuna", "optuna")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        journal = optuna.storages.journal.JournalFileBackend(str(self._file))
        made = optuna.create_study(
            storage=optuna.storages.JournalStorage(journal), study_name=self.key, load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(_UNPRUNED_TRIALS, _UNPRUNED_EPOCHS),
        )  # fmt: skip
        # Its draws begin anew in each run: with the same seed it would draw what it has drawn before.
        made.sampler = optuna.samplers.TPESampler(seed=self._given.seed + len(made.trials))
        return made

    def _take_up(self, study: Any) -> None:
        """Trials that were interrupted are tried again, and go on from their last epoch; the first is as given."""
        state, taken = require("optuna", "optuna").trial.TrialState, set(study.user_attrs.get(_TAKEN_UP, []))
        for trial in study.trials:
            if trial.state == state.RUNNING:  # its process was killed
                study.tell(trial.number, state=state.FAIL)
            if trial.state in {state.RUNNING, state.FAIL} and trial.number not in taken:
                study.enqueue_trial(trial.params)
                taken.add(trial.number)
        study.set_user_attr(_TAKEN_UP, sorted(taken))
        if not study.trials:
            study.enqueue_trial(self._as_given())

    def _as_given(self) -> dict[str, Any]:
        given = {name: getattr(self._given, name) for name in ("learning_rate", "layer_decay", "label_smoothing")}
        given |= {"mixup": self._given.mixup, "weight_decay": max(self._given.weight_decay, _LEAST_DECAY)}
        return given | {"train_norm": self._given.train_norm, _UNFREEZE: len(self.tuners)}

    def _objective(self, trial: Any) -> float:
        """The lowest held-out loss of a training."""
        depth, settings = self._drawn(space_of(trial, self._given, len(self.tuners), norms=self._has_norms))
        kept = Checkpoints(self.root, keys.key("trial", {"search": self.key, "settings": asdict(settings)}))
        label = f"trial {len(_finished(trial.study)) + 1}"
        seen: list[float] = []

        def watch(epoch: Epoch) -> None:
            seen.append(float(epoch.held_out_loss or 0.0))
            trial.report(seen[-1], len(seen))
            if trial.should_prune():
                raise _Pruned

        try:
            self.tuners[depth].under(settings, kept).tune(self.rows, self.held, label, watch)
        except (_Pruned, TrainingError) as error:
            kept.clear()
            self._give_up(trial, error, label)
        kept.clear()
        tell(self.tuners[0].progress, f"{label}: held-out loss {min(seen):.4f} with {_listed(trial.params)}")
        return min(seen)

    def _give_up(self, trial: Any, error: Exception, label: str) -> None:
        why = "given up"
        if isinstance(error, TrainingError):
            trial.set_user_attr(_FAILED, str(error))
            why = "no finite loss"
        tell(self.tuners[0].progress, f"{label}: {why} with {_listed(trial.params)}")
        raise require("optuna", "optuna").TrialPruned

    def _drawn(self, drawn: Mapping[str, Any]) -> tuple[int, TrainingSettings]:
        depth = int(drawn.get(_UNFREEZE, len(self.tuners))) - 1
        return depth, replace(self._given, **{name: value for name, value in drawn.items() if name != _UNFREEZE})

    def _found(self, study: Any, earlier: int, seconds: float) -> Search:
        finished = _finished(study)
        done = [trial for trial in finished if trial.value is not None and _is_complete(trial)]
        failed = sum(_FAILED in trial.user_attrs for trial in finished)
        if not done:
            raise TrainingError(
                f"None of {len(finished)} trials came to a finite loss.", do="Try a tenth of the learning rate."
            )
        best = min(done, key=lambda trial: trial.value)
        depth, settings = self._drawn(best.params)
        return Search(
            depth, settings, dict(best.params), best.value,
            next((trial.value for trial in done if trial.params.items() <= self._as_given().items()), None),
            len(finished), len(finished) - len(done) - failed, failed, earlier, seconds, self._file,
        )  # fmt: skip

    @property
    def _given(self) -> TrainingSettings:
        return self.tuners[-1].settings

    @property
    def _has_norms(self) -> bool:
        norms = self.tuners[-1].stages[-1].suffix.norms()
        return any(getattr(part, "running_mean", None) is not None for part in norms)

    @property
    def _file(self) -> Path:
        return self.root / FOLDER / f"{self.key}.log"


class _Pruned(Exception):  # noqa: N818  # no error: it ends a training from within
    """A trial is given up."""


def _finished(study: Any) -> list[Any]:
    """Trials that came to something; those that were interrupted did not."""
    state = require("optuna", "optuna").trial.TrialState
    return [trial for trial in study.trials if trial.state in {state.COMPLETE, state.PRUNED}]


def _is_complete(trial: Any) -> bool:
    return bool(trial.state == require("optuna", "optuna").trial.TrialState.COMPLETE)


def _listed(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in params.items())


def _require_rows(held: np.ndarray) -> None:
    if not len(held):
        raise UsageError(
            "A search judges its trials on rows that are held out, and there are too few rows to hold some out.",
            expected="Seventy items at least, and several of each class.",
            do="Give more labelled items, or leave --search out.",
        )
