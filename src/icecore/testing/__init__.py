"""Testing: what every plug-in must keep to, as checks that its author can run on it.

Each check takes the thing itself, uses its public doors, and raises AssertionError with the sentence that says what is
wrong: `check_backbone`, `check_head`, `check_regressor`, `check_reader`, `check_store`.
"""

from icecore.testing.backbones import check_backbone
from icecore.testing.heads import check_head
from icecore.testing.readers import check_reader
from icecore.testing.regressors import check_regressor
from icecore.testing.store import check_store

__all__ = ["check_backbone", "check_head", "check_reader", "check_regressor", "check_store"]
