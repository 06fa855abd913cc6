"""The checks that icecore ships for other stores hold for its own, and catch a wrong one."""

import numpy as np
import pytest

from icecore.store import Store, Table
from icecore.testing.store import check_store


def test_our_store_conforms():
    """The store passes its own checks."""
    check_store(Store)


class Mixed(Store):
    """A store whose answers come in the order stored, not in the order asked."""

    def table(self, key, about):
        return Unordered(self.root / key, about)


class Unordered(Table):
    def read(self, column, rows):
        return super().read(column, sorted(rows))


def test_a_store_that_mixes_up_rows_is_caught():
    """A store that answers in another order than asked fails, and the failure says what is wrong."""
    with pytest.raises(AssertionError, match="in the order asked"):
        check_store(Mixed)


class Forgetful(Store):
    def table(self, key, about):
        return Amnesiac(self.root / key, about)


class Amnesiac(Table):
    def missing(self, columns, rows):
        return np.ones(len(rows), bool)


def test_a_store_that_forgets_is_caught():
    """A store that calls stored rows missing fails."""
    with pytest.raises(AssertionError, match="missing"):
        check_store(Forgetful)
