from __future__ import annotations

from hivewire import gateway
from hivewire.delivery import Ops, Owed


def test_every_op_has_a_number_of_its_own() -> None:
    assert isinstance(gateway.OPS, Ops)
    assert len(set(gateway.OPS)) == len(Ops._fields)


def test_a_new_group_owes_nothing() -> None:
    owed = Owed()
    assert not any(getattr(owed, name) for name in Owed.__slots__)


def test_groups_share_nothing() -> None:
    first, second = Owed(), Owed()
    for name in Owed.__slots__:
        mine, its = getattr(first, name), getattr(second, name)
        assert mine is None or isinstance(mine, int) or mine is not its
