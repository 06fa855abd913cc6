"""Blocks: the layers of the network's longest chain of repeated stages, in run order.

"Unfreeze 2" means the last two of them and all after. A chain is a list of numbered siblings (`blocks.0`, `blocks.1`,
...; `layer1`, `layer2`, ...). A member that is itself a stage, a list of modules of one class, counts as its members:
`layer1.0`, `layer1.1`, ... A chain of bare layers (VGG) is cut before every convolution or linear layer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from torch import nn

_NUMBERED = re.compile(r"\d+[a-z]?$")
_NUMBERS = re.compile(r"\d+[a-z]?(?![a-z])")


def blocks_of(module: nn.Module, takeable: Collection[str]) -> list[str]:
    """Paths of the blocks among the layers that can be taken, in the order in which the modules are defined.

    A module that says what they are, by an attribute `block_paths`, is believed.
    """
    declared = getattr(module, "block_paths", None)
    if declared is not None:
        return [name for name in declared if name in takeable]
    chains = [_expand(chain, module) for chain in _chains(module)]
    chains = [[name for name in chain if name in takeable] for chain in chains]
    return max(chains, key=len, default=[]) or _bare_chain(module, takeable)


def _chains(module: nn.Module) -> list[list[str]]:
    """Every group of numbered, compound siblings, outermost first."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, part in module.named_modules():
        parent, _, own = name.rpartition(".")
        if _NUMBERED.search(own) and _compound(part):
            groups[f"{parent}.{_NUMBERS.sub('#', own)}"].append(name)
    chains = [names for names in groups.values() if len(names) > 1 or names[0].rpartition(".")[2].isdigit()]
    outermost = sorted(chains, key=lambda names: names[0].count("."))
    kept: list[list[str]] = []
    for names in outermost:
        if not any(names[0].startswith(outer + ".") for chain in kept for outer in chain):
            kept.append(names)
    return kept


def _expand(names: list[str], module: nn.Module) -> list[str]:
    return [inner for name in names for inner in _stage_members(name, module.get_submodule(name))]


def _stage_members(name: str, stage: nn.Module) -> list[str]:
    """The members of a stage: a list of blocks of one class that holds most of its weights; else the stage itself.

    A block has at least two layers with weights; a convolution with its norm is none.
    """
    plain = isinstance(stage, nn.Sequential | nn.ModuleList)
    candidates = [("", stage)] if plain else list(stage.named_children())
    if sum(_compound(part) for _, part in candidates) > 2:  # parallel branches, no stage with a down-sampler
        return [name]
    for path, part in candidates:
        members = list(part.named_children())
        repeated = isinstance(part, nn.Sequential | nn.ModuleList) and len({type(m) for _, m in members}) == 1
        if repeated and all(_weight_layers(m) > 1 for _, m in members) and _size(part) * 2 > _size(stage):
            return [".".join(p for p in (name, path, own) if p) for own, _ in members]
    return [name]


def _bare_chain(module: nn.Module, takeable: Collection[str]) -> list[str]:
    """For a list of bare layers: the last module before each convolution or linear layer, and the last of all."""
    lists = [(n, list(p.named_children())) for n, p in module.named_modules() if isinstance(p, nn.Sequential)]
    path, members = max(lists, key=lambda item: len(item[1]), default=("", []))
    starts = [i for i, (_, part) in enumerate(members) if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear)]
    ends = [*(start - 1 for start in starts[1:]), len(members) - 1] if starts else []
    names = [f"{path}.{members[end][0]}" if path else members[end][0] for end in ends]
    return [name for name in names if name in takeable]


def _compound(module: nn.Module) -> bool:
    return next(module.children(), None) is not None and _size(module) > 0


def _weight_layers(module: nn.Module) -> int:
    return sum(isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear) for part in module.modules())


def _size(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())
