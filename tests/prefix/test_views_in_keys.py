"""A view is part of the key: its rows are no others', and those of the item itself are the network's."""

from icecore import PretrainedModel
from icecore.data import views_of
from icecore.prefix import Column, column_key
from tests.small import BACKBONE


def test_every_view_has_a_key_of_its_own():
    """View 0 shares the key of the network's own columns; the others differ, by number and policy."""
    net = PretrainedModel.load(BACKBONE, device="cpu")
    prefix, _ = net.cut("stages.2")
    column = Column("last", "mean")
    found = [column_key(prefix.viewed(view), column) for view in views_of("image", 4)]
    assert found[0] == column_key(net.backbone, column)
    assert len(set(found)) == 4
