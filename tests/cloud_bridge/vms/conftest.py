"""Every provider's case, one after the other."""

from collections.abc import Iterator

import pytest

from tests.cloud_bridge.vms import case_libvirt
from tests.cloud_bridge.vms.case import Case, Closable, Entry

ENTRIES: dict[str, Entry] = {**case_libvirt.ENTRIES}


# Of the session, so that pytest goes through all modules with one case before the next: once the
# driver inside this process was open, libvirt takes every address for it.
@pytest.fixture(
    scope="session",
    params=[pytest.param(name, id=name, marks=entry.marks) for name, entry in ENTRIES.items()],
)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with ENTRIES[request.param].open(request) as opened:
        yield opened


@pytest.fixture(scope="module")
def provider(case: Case) -> Iterator[Closable]:
    made = case.provider("ours")
    yield made
    for machine in made.list():
        if machine.ours:
            made.delete(machine.key)
    made.close()
