"""What is unfrozen: from the user's word for it to the cuts of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icecore.backbones import INPUT, LAST, LOGITS, Extractor, TorchBackbone
from icecore.errors import UsageError
from icecore.prefix import Cutter, Place, Suffix, blocks

ALL = "all"


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut, and the layers that are trained above it.

    Attributes:
        place: where the network is cut.
        suffix: what is above.
        unfrozen: the blocks above, after the layer that was asked for, where it is none of them; `input` for all.
    """

    place: Place
    suffix: Suffix
    unfrozen: tuple[str, ...]


def cuttable(backbone: Extractor) -> TorchBackbone:
    """The backbone as one that can be cut. Raises UsageError for graphs in files, services and pairs."""
    if isinstance(backbone, TorchBackbone):
        return backbone
    raise UsageError(
        f"{backbone.id} cannot be fine-tuned: it holds no torch network whose weights could be trained.",
        expected="A network of torch:, torchvision:, timm:, hf: (for images, texts or sounds), keras: or icecore: "
        "(vision-s, audio-s).",
    )


def cuts_for(cutter: Cutter, unfreeze: int | str, *, gradual: bool) -> list[Cut]:
    """The cuts of a training: one, or for gradual unfreezing one for each block, the last block first.

    Args:
        cutter: of the network.
        unfreeze: how many of the last blocks; a layer, with which it begins; or `all`.
        gradual: see `TrainingSettings`.

    Raises UsageError where there are fewer blocks, LayerError where there is no such layer.
    """
    chain = blocks(cutter.backbone)
    starts = _starts(cutter, chain, unfreeze)
    made = [_made(cutter, chain, start) for start in (starts if gradual else starts[-1:])]
    return [cut for i, cut in enumerate(made) if i == 0 or cut.place != made[i - 1].place]


def _starts(cutter: Cutter, chain: Sequence[str], unfreeze: int | str) -> list[str]:
    """Where the training begins: at the last block, at the one before, and so on down to what was asked for."""
    if unfreeze == ALL:
        return [*reversed(chain), INPUT]
    if isinstance(unfreeze, int):
        if unfreeze > len(chain):
            raise UsageError(
                f"unfreeze is {unfreeze}, and {cutter.backbone.id} has {len(chain)} blocks.",
                expected=f"A number from 1 to {len(chain)}, the name of a layer, or 'all'."
                if chain
                else "The name of a layer, or 'all': it has no chain of repeated blocks.",
            )
        return list(reversed(chain))[:unfreeze]
    if unfreeze in {INPUT, LAST, LOGITS}:
        raise UsageError(
            f"unfreeze is {unfreeze!r}, which is no module.",
            expected="The path of the module with which the training begins, a number of blocks, or 'all'.",
        )
    first = cutter.started(unfreeze)
    return [*(name for name in reversed(chain) if cutter.started(name) > first), unfreeze]


def _made(cutter: Cutter, chain: Sequence[str], start: str) -> Cut:
    place, suffix = cutter.whole() if start == INPUT else cutter.before(start)
    if not suffix.trainable:
        raise UsageError(
            f"Nothing of {cutter.backbone.id} from {start} on has weights that could be trained.",
            do="Unfreeze a layer below, or more blocks.",
        )
    above = tuple(name for name in chain if cutter.started(name) > place.time)
    return Cut(place, suffix, above if start in above else (start, *above))
