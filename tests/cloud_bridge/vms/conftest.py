"""Every provider's case, one after the other."""

from collections.abc import Iterator

import pytest

from tests.cloud_bridge.vms import case_clones, case_libvirt, case_openstack
from tests.cloud_bridge.vms.case import Case, Closable, Entry
from tests.world.openstack.stack import Stack

ENTRIES: dict[str, Entry] = {
    **case_clones.ENTRIES,
    **case_libvirt.ENTRIES,
    **case_openstack.ENTRIES,
}


# Of the session, so that pytest goes through all modules with one case before the next.
@pytest.fixture(
    scope="session",
    params=[pytest.param(name, id=name, marks=entry.marks) for name, entry in ENTRIES.items()],
)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with ENTRIES[request.param].open(request) as opened:
        yield opened


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Yield an OpenStack of its own; skipped where none was asked for."""
    case_openstack.only_where_asked()
    with Stack() as running:
        yield running


@pytest.fixture(scope="module")
def provider(case: Case) -> Iterator[Closable]:
    made = case.provider("ours")
    yield made
    for machine in made.list():
        if machine.ours:
            made.delete(machine.key)
    made.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the driver inside this process for the end of the session.

    Once it was open, libvirt takes every address for its own and finds no daemon any more.
    """
    items.sort(key=_embeds)


def _embeds(item: pytest.Item) -> bool:
    called = getattr(item, "callspec", None)
    return called is not None and called.params.get("case") == "libvirt-embed"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was left out and how it is run: a skip alone prints one letter."""
    skipped = terminalreporter.stats.get("skipped", [])
    named = [each.nodeid for each in skipped if case_openstack.COMMAND in str(each.longrepr)]
    if named:
        command = case_openstack.COMMAND
        terminalreporter.section(f"NOT RUN: {len(named)} tests on a real OpenStack")
        terminalreporter.line(f"run them with: {command}")
        for name in sorted(named):
            terminalreporter.line(name)
