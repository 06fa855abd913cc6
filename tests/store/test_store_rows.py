"""Row keys in bulk: a sequence of bytes in one array."""

import numpy as np
import pytest

from icecore.store import RowKeys, as_keys
from tests.store.rows import rows_of


@pytest.fixture
def rows() -> RowKeys:
    """Keys of five items, the first and the fourth of which are equal."""
    return RowKeys(as_keys(rows_of([0, 1, 2, 0, 3])))


def test_row_keys_are_a_sequence_of_bytes(rows: RowKeys):
    """Length, elements, slices, iteration and equality are those of a list."""
    plain = rows_of([0, 1, 2, 0, 3])
    assert len(rows) == 5
    assert rows[3] == plain[0]
    assert list(rows) == plain
    assert rows == plain
    assert rows[1:3] == plain[1:3]
    assert rows != plain[:4]
    assert rows.index(plain[2]) == 2


def test_row_keys_are_taken_by_positions_and_by_masks(rows: RowKeys):
    """As an array is."""
    assert rows.take(np.array([4, 0])) == rows_of([3, 0])
    assert rows.take(np.array([False, True, False, False, True])) == rows_of([1, 3])


def test_row_keys_are_found(rows: RowKeys):
    """Which are among others, none of none; and the first of equal ones."""
    assert rows.isin(rows_of([0, 7])).tolist() == [True, False, False, True, False]
    assert not rows.isin([]).any()
    assert rows.firsts().tolist() == [0, 1, 2, 4]
