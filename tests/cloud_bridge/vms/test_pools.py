"""Several providers as one, upon providers that keep their machines in a list."""

import pytest

from cloud_bridge.types import Capacity, Create, Machine, Template
from cloud_bridge.vms.base import VmError
from cloud_bridge.vms.pools import Pools
from tests.cloud_bridge import cases


class Shelf:
    """A provider whose machines are entries of a dict; `away` makes it answer nothing."""

    def __init__(self, memory_mib: int) -> None:
        self.machines: dict[str, Machine] = {}
        self.memory_mib = memory_mib
        self.away = False
        self.closed = False

    def _there(self) -> None:
        if self.away:
            raise VmError("away")

    def ensure(self, spec: Create) -> Machine:
        self._there()
        made = cases.machine(spec.key, "booting", template=spec.template.name)
        return self.machines.setdefault(spec.key, made)

    def list(self) -> "list[Machine]":
        self._there()
        return list(self.machines.values())

    def renew(self, key: str, until: float) -> None:
        self._there()
        self.machines[key] = cases.machine(key, "booting", until=until)

    def delete(self, key: str) -> None:
        self._there()
        self.machines.pop(key, None)

    def capacity(self) -> Capacity:
        return Capacity(self.memory_mib, 2)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def first() -> Shelf:
    return Shelf(1024)


@pytest.fixture
def second() -> Shelf:
    return Shelf(4096)


@pytest.fixture
def pools(first: Shelf, second: Shelf) -> Pools:
    return Pools({"libvirt": first, "clone": second}, {"walk-up": "clone"})


def wish(key: str, template: str) -> Create:
    return Create(key, "m", ("a",), Template(template, 128), 2e9)


def test_a_template_is_made_where_it_is_served(pools: Pools, first: Shelf, second: Shelf) -> None:
    pools.ensure(wish("a", "small"))
    pools.ensure(wish("b", "walk-up"))
    assert (list(first.machines), list(second.machines)) == (["a"], ["b"])
    assert {machine.key for machine in pools.list()} == {"a", "b"}
    assert pools.capacity().memory_mib == 1024
    pools.close()
    assert first.closed
    assert second.closed


def test_a_machine_stays_where_it_is_when_its_template_moves(
    pools: Pools, first: Shelf, second: Shelf
) -> None:
    first.ensure(wish("a", "walk-up"))
    pools.ensure(wish("a", "walk-up"))
    assert not second.machines
    pools.renew("a", 3e9)
    assert first.machines["a"].until == 3e9
    pools.delete("a")
    pools.delete("a")
    assert not first.machines
    with pytest.raises(VmError, match="gone"):
        pools.renew("a", 3e9)


def test_a_provider_that_is_away_stops_no_other_and_loses_nothing(
    pools: Pools, first: Shelf, second: Shelf
) -> None:
    pools.ensure(wish("a", "small"))
    pools.list()
    first.away = True
    pools.ensure(wish("b", "walk-up"))
    assert {machine.key for machine in pools.list()} == {"a", "b"}
    pools.delete("b")
    with pytest.raises(VmError, match="away"):
        pools.delete("a")
    with pytest.raises(VmError, match="away"):
        pools.ensure(wish("c", "small"))
    first.away = False
    pools.delete("a")
    assert not pools.list()


def test_a_provider_that_never_answered_is_not_taken_for_empty(pools: Pools, first: Shelf) -> None:
    first.away = True
    with pytest.raises(VmError, match="away"):
        pools.list()
