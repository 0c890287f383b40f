"""A provider without room is asked again later, and that uses up no attempt."""

from pathlib import Path

import pytest

from cloud_bridge.plan import MAX_ATTEMPTS, crowded, failed
from cloud_bridge.reconcile.acts import Acts
from cloud_bridge.store import MachineStore, RecordStore, Store
from cloud_bridge.types import Capacity, Create, Machine, Template
from cloud_bridge.vms.base import VmError, VmFullError
from edge.contracts.base import Now

NOW = Now(1000.0, 1000.0, True)
SPEC = Create("k", "m", ("aurora",), Template("small", 128), 5000.0)


def test_waiting_for_room_uses_up_no_attempt() -> None:
    row = failed(None, "k", "crashed", NOW)
    for _ in range(2 * MAX_ATTEMPTS):
        row = crowded(row, "k", "quota", NOW)
    assert (row.attempts, row.given_up, row.reason) == (1, False, "quota")
    assert 1030.0 <= row.not_before <= 1060.0
    assert crowded(None, "k", "quota", NOW).attempts == 0


class Refusing:
    def __init__(self, error: VmError) -> None:
        self.error = error

    def ensure(self, _spec: Create) -> Machine:
        raise self.error

    def list(self) -> list[Machine]:
        return []

    def renew(self, _key: str, _until: float) -> None:
        return

    def delete(self, _key: str) -> None:
        return

    def capacity(self) -> Capacity:
        return Capacity(0, 0)

    def close(self) -> None:
        return


@pytest.mark.parametrize(("error", "attempts"), [(VmFullError("quota"), 0), (VmError("crash"), 1)])
def test_a_refusal_for_want_of_room_is_no_failure(
    tmp_path: Path, error: VmError, attempts: int
) -> None:
    store = Store(f"sqlite:///{tmp_path}/cloud.db")
    machines = MachineStore(store)
    acts = Acts("us", Refusing(error), machines, RecordStore(store), lambda: NOW)
    acts.do(SPEC)
    (row,) = machines.attempts()
    assert (row.attempts, row.reason) == (attempts, str(error))
    assert row.not_before > NOW.wall
    assert machines.intended() == []
    store.close()
