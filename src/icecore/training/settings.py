"""What can be set about fine-tuning, with defaults that a small data set can live with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from icecore.errors import UsageError

PRECISIONS = ("auto", "float32", "bfloat16")
_AT_LEAST_ZERO = (
    "epochs",
    "weight_decay",
    "warmup",
    "label_smoothing",
    "mixup",
    "average",
    "lora",
    "contrastive",
    "patience",
)
_AT_LEAST_ONE = ("views", "batch_size", "accumulate")
_BELOW_ONE = ("warmup", "label_smoothing", "average", "dropout")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to fine-tune.

    Attributes:
        unfreeze: how many of the last blocks are trained; a layer, with which it begins; or `all`.
        epochs: passes over the training rows, at most; 0 to do no more than the contrastive phase and fit the head.
        learning_rate: of AdamW (Loshchilov and Hutter 2019) for the last block, at its highest; of the head too.
        layer_decay: factor of the learning rate from one block to the one below (Clark et al. 2020, ELECTRA).
        weight_decay: of AdamW, decoupled; not of biases and normalisation layers.
        warmup: share of the steps in which the learning rate rises; it falls to zero along a cosine after that.
        gradual: begin with the last block alone, and move the cut down as training goes (Howard and Ruder 2018).
        label_smoothing: the part of each target that is spread over all classes.
        mixup: alpha of the Beta distribution that mixes boundary activations of two items (Verma et al. 2019, manifold
            mixup); 0 for none. Sequences are mixed after pooling, because their lengths differ.
        views: augmented views of each item, the item itself included; 1 for none.
        dropout: of the network's own dropout layers after the cut; None leaves them as they are, 0 switches every kind
            of random depth and dropout off.
        patience: epochs without a better held-out loss after which training stops, for which a fifth of the training
            rows is held out; 0 trains on all of them to the end.
        average: decay of the moving average of the weights, which is what is kept; 0 for none.
        train_norm: let batch normalisation follow the statistics of the batches instead of keeping the pretrained ones;
            its scale and shift are trained either way.
        class_weight: `balanced` to let every class count the same.
        target_weight: how much a target's loss counts, by name, where there are several; 1 where nothing is said.
        batch_size: items a step.
        accumulate: batches whose gradients make one step.
        precision: `float32`, `bfloat16`, or `auto`: the second where the hardware is made for it.
        lora: rank of low-rank adapters (Hu et al. 2021) that are trained instead of the weights; 0 for none.
        contrastive: partners of its class for each item in a contrastive phase before the head (as in SetFit); 0
            for none. Its learning rate is a fifteenth of `learning_rate`, but for adapters, and the same in all blocks.
        store_limit: bytes that boundaries may take on the disk; None for half of what is free.
        seed: of whatever is drawn.
    """

    unfreeze: int | str = 2
    epochs: int = 20
    learning_rate: float = 3e-4
    layer_decay: float = 0.75
    weight_decay: float = 0.05
    warmup: float = 0.1
    gradual: bool = False
    label_smoothing: float = 0.1
    mixup: float = 0.2
    views: int = 1
    dropout: float | None = None
    patience: int = 5
    average: float = 0.99
    train_norm: bool = False
    class_weight: Literal["balanced"] | None = None
    target_weight: Mapping[str, float] | None = None
    batch_size: int = 32
    accumulate: int = 1
    precision: str = "auto"
    lora: int = 0
    contrastive: int = 0
    store_limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise UsageError for values that cannot be right."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                _require(field.name, value)
        if self.precision not in PRECISIONS:
            raise UsageError(f"There is no precision {self.precision!r}.", expected=f"One of {', '.join(PRECISIONS)}.")
        _require_together(self)
        for name, weight in (self.target_weight or {}).items():
            if not 0 < weight < float("inf"):
                raise UsageError(f"The weight of target {name!r} is {weight}.", expected="A number above 0.")
        if not _says_how_much(self.unfreeze):
            raise UsageError(
                f"unfreeze is {self.unfreeze!r}.",
                expected="1 or more blocks from the end, the name of a layer, or 'all'.",
            )


def _says_how_much(unfreeze: Any) -> bool:
    if isinstance(unfreeze, int) and not isinstance(unfreeze, bool):
        return unfreeze >= 1
    return isinstance(unfreeze, str) and unfreeze != ""


def _require_together(settings: TrainingSettings) -> None:
    if not settings.epochs and not settings.contrastive:
        raise UsageError("epochs is 0.", expected="1 or more; 0 only with a contrastive phase.")
    if settings.contrastive and settings.gradual:
        raise UsageError(
            "A contrastive phase trains all that is unfrozen at once, so it cannot be gradual.",
            do="Leave out one of the two.",
        )
    if settings.lora and settings.train_norm:
        raise UsageError("With lora, adapters are trained and no normalisation layers.", do="Leave out train_norm.")


def _require(name: str, value: float) -> None:
    least = 1 if name in _AT_LEAST_ONE else 0
    if name in (*_AT_LEAST_ONE, *_AT_LEAST_ZERO) and value < least:
        raise UsageError(f"{name} is {value}.", expected=f"{least} or more.")
    if name in _BELOW_ONE and not 0 <= value < 1:
        raise UsageError(f"{name} is {value}.", expected="From 0 to below 1.")
    if name == "learning_rate" and not 0 < value < 10:
        raise UsageError(f"learning_rate is {value}.", expected="Above 0; around 0.0003 for most networks.")
    if name == "layer_decay" and not 0 < value <= 1:
        raise UsageError(f"layer_decay is {value}.", expected="Above 0, up to 1 for the same rate in all blocks.")
