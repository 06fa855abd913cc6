"""Trees of tensors: taken apart and put together, and their ghosts."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from icecore.prefix.trees import FEW, MORE, Ghost, Tree, cloned, ghosts_of, haunted, holds_nan

CPU = torch.device("cpu")
SIZES = st.lists(st.integers(1, 4), max_size=3).map(tuple)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
TENSORS = SIZES.map(lambda shape: torch.arange(float(torch.tensor(shape).prod())).reshape(shape))


def trees(leaves):
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=6,
    )


def same(one, other):
    """Whether two values are alike all through."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return one == other


@given(trees(TENSORS | PLAIN))
def test_a_tree_comes_together_again(value):
    """Tuples, lists and dictionaries, empty ones too; what is no tensor stays as it is."""
    tree = Tree.of(value)
    assert same(tree.with_leaves(tree.leaves), value)
    assert tree.plain
    assert all(isinstance(tree.leaves[i], torch.Tensor) for i in tree.tensors)


def test_an_object_is_not_plain():
    """It is a leaf, whose inside is not seen."""
    assert not Tree.of({"x": (torch.ones(1), object())}).plain


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=4), st.integers(1, 50))
def test_sizes_that_count_items_grow_in_proportion(axes, n):
    """Each axis is some number for every item and some more: seen for two and for three items, known for n."""

    def shape(items):
        return tuple(each * items + more for each, more in axes)

    ghost = Ghost.of(torch.empty(shape(FEW)), torch.empty(shape(MORE)))
    assert ghost.shape(n) == shape(n)
    assert ghost.counts_items == any(each for each, _ in axes)
    assert ghost.tensor(n, CPU).shape == shape(n)


@given(trees(TENSORS | PLAIN), st.integers(1, 5))
def test_a_ghost_is_nan_all_through(value, n):
    """Real numbers become NaN in the same shape; the tree and all else stay."""
    found = haunted(ghosts_of(Tree.of(value), Tree.of(value)), n, CPU)
    before, after = Tree.of(value), Tree.of(found)
    assert before.structure == after.structure
    for i, leaf in enumerate(before.leaves):
        if i in before.tensors:
            assert after.leaves[i].shape == leaf.shape
            assert after.leaves[i].isnan().all()
        else:
            assert after.leaves[i] == leaf
    filled = any(before.leaves[i].numel() for i in before.tensors)
    assert holds_nan(found) == filled


def test_ghosts_of_whole_numbers():
    """A table of indices that serves any number of items is kept; one that counts them is zeros."""
    table = torch.tensor([2, 0, 1])
    assert torch.equal(Ghost.of(table, table.clone()).tensor(7, CPU), table)
    counted = Ghost.of(torch.ones(FEW, 3, dtype=torch.bool), torch.ones(MORE, 3, dtype=torch.bool)).tensor(7, CPU)
    assert (counted.shape, counted.dtype, bool(counted.any())) == ((7, 3), torch.bool, False)


def test_an_unknown_object_leaves_no_ghost():
    """It would hold what another pass gave."""
    tree = Tree.of([object(), "text"])
    assert haunted(ghosts_of(tree, tree), 2, CPU) == [None, "text"]


@given(trees(TENSORS | PLAIN))
def test_a_clone_has_memory_of_its_own(value):
    """So that writing to it does not reach the original."""
    found = cloned(value)
    assert same(found, value)
    pairs = zip(Tree.of(value).leaves, Tree.of(found).leaves, strict=True)
    assert not any(isinstance(a, torch.Tensor) and a.numel() and a.data_ptr() == b.data_ptr() for a, b in pairs)
