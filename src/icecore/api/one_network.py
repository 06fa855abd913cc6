"""What can be done with a model on one network alone, and not with an ensemble of several."""

from __future__ import annotations

from icecore.artifact import EnsemblePredictor, Predictor, member_folder
from icecore.errors import UsageError


def require_one_network(predictor: Predictor, done: str, do: str) -> None:
    """Raise UsageError for an ensemble.

    Args:
        predictor: of a model.
        done: what is asked for, such as `fine-tuned`.
        do: how to have it of a member, whose folder in the ensemble's takes the place of `{}`.
    """
    if isinstance(predictor, EnsemblePredictor):
        raise UsageError(
            f"An ensemble of {len(predictor.members)} models cannot be {done} as a whole.",
            expected="A model on one network.",
            do=do.format(member_folder(predictor.heaviest)),
        )


def main_part(predictor: Predictor) -> Predictor:
    """The model itself; of an ensemble the member that says most."""
    return predictor.members[predictor.heaviest] if isinstance(predictor, EnsemblePredictor) else predictor
