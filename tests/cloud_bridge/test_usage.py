"""What machines use: sampled from real processes, kept, shown with cost, idle ones named."""

from dataclasses import replace
from pathlib import Path

import pytest

from cloud_bridge.admin.attention import attention
from cloud_bridge.admin.machines import machines_view
from cloud_bridge.admin.say import Say
from cloud_bridge.admin.site import UTC
from cloud_bridge.admin.usage import IDLE_S
from cloud_bridge.reconcile.usage import Sampler
from cloud_bridge.store import Store, UsageStore
from cloud_bridge.types import Capacity, Create, Machine, Template, Usage
from cloud_bridge.vms.usage import Used, of_process
from edge.contracts.base import Now
from tests.world.office import Office, key_of
from tests.world.office_scenes import air
from tests.world.room import EPOCH, meeting

SMALL = Template("demo-small", 128, cost_per_hour=6.0)
TALK = meeting("talk", -600, 60, title="Talk")


class Meter:
    """A provider as far as the sampler sees one; what it says is turned by hand."""

    def __init__(self) -> None:
        self.machine = Machine(
            key_of(TALK), "talk/", ("aurora",), "demo-small", "ready", EPOCH + 3600, EPOCH - 1800,
            128, token="t1",
        )  # fmt: skip
        self.cpu_s = 10.0

    def ensure(self, spec: Create) -> Machine:
        raise NotImplementedError(spec)

    def list(self) -> list[Machine]:
        return [self.machine, replace(self.machine, key="stranger", ours=False)]

    def used(self) -> "list[Used]":
        return [Used(self.machine.key, self.cpu_s, 142), Used("stranger", 1.0, 1)]

    def renew(self, key: str, until: float) -> None:
        raise NotImplementedError

    def delete(self, key: str) -> None:
        raise NotImplementedError

    def capacity(self) -> Capacity:
        raise NotImplementedError

    def close(self) -> None:
        return


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> Now:
        return Now(EPOCH + self.at, 100.0 + self.at)


@pytest.fixture
def usage(tmp_path: Path) -> UsageStore:
    return UsageStore(Store(f"sqlite:///{tmp_path / 'cloud.db'}"))


def test_processor_time_between_two_looks_is_a_share_of_a_core(usage: UsageStore) -> None:
    meter, clock = Meter(), Clock()
    sampler = Sampler(meter, usage, {"demo-small": SMALL}, clock.now)
    sampler.look()
    assert [one.cpu for one in usage.usage()] == [-1.0]
    clock.at, meter.cpu_s = 10.0, 15.0
    sampler.look()
    (one,) = usage.usage()
    assert (one.cpu, one.memory_mib, one.network, one.idle_since) == (0.5, 142, -1, 0.0)
    assert (one.cost_per_hour, one.created) == (6.0, EPOCH - 1800)


def test_it_is_idle_since_it_rested_also_over_a_restart(usage: UsageStore) -> None:
    meter, clock = Meter(), Clock()
    for _ in range(2):
        sampler = Sampler(meter, usage, {}, clock.now)
        for _ in range(3):
            clock.at += 15.0
            sampler.look()
    assert usage.usage()[0].idle_since == EPOCH + 30.0
    clock.at, meter.cpu_s = clock.at + 15.0, meter.cpu_s + 5.0
    sampler.look()
    assert usage.usage()[0].idle_since == 0.0


def test_a_machine_made_anew_begins_anew(usage: UsageStore) -> None:
    meter, clock = Meter(), Clock()
    sampler = Sampler(meter, usage, {}, clock.now)
    for _ in range(3):
        clock.at += 15.0
        sampler.look()
    assert usage.usage()[0].idle_since > 0
    meter.machine = replace(meter.machine, token="t2")
    clock.at += 15.0
    sampler.look()
    assert (usage.usage()[0].cpu, usage.usage()[0].idle_since) == (-1.0, 0.0)


def test_a_process_of_this_host_can_be_read() -> None:
    used = of_process("me", 1)
    assert used is None or used.cpu_s >= 0
    assert of_process("nobody", 2**30) is None


def seen(office: Office, idle_s: float) -> Usage:
    return Usage(
        key_of(TALK), "t1", office.wall, office.wall - 1800, 0.011, 142, -1,
        office.wall - idle_s if idle_s else 0.0, 6.0,
    )  # fmt: skip


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    aurora = made.tenant("aurora").online()
    aurora.calendar(TALK)
    aurora.want(TALK)
    aurora.machine(TALK, "ready")
    return made


def test_use_and_cost_stand_on_the_page(office: Office) -> None:
    UsageStore(office.store).keep([seen(office, 0)], {key_of(TALK)}, office.wall)
    office.read()
    (one,) = machines_view(office.follower.facts, Say(UTC, office.wall)).running
    shown = one.usage
    assert (shown.cpu, shown.memory, shown.network) == ("1%", "142 MiB", "\u2013")
    assert (shown.cost, shown.idle) == ("3.00", "")


@pytest.mark.parametrize(
    ("idle_s", "people", "named"),
    [(IDLE_S + 60, 0, True), (IDLE_S - 60, 0, False), (IDLE_S + 60, 4, False)],
)
def test_a_machine_that_idles_with_nobody_there_is_named(
    office: Office, idle_s: float, people: int, named: bool
) -> None:
    air(office.tenant("aurora"), people)
    UsageStore(office.store).keep([seen(office, idle_s)], {key_of(TALK)}, office.wall)
    office.read()
    found = [one.what for one in attention(office.follower.facts, Say(UTC, office.wall))]
    assert any("idles with nobody there" in what for what in found) is named


def test_old_figures_are_not_shown_as_present(office: Office) -> None:
    UsageStore(office.store).keep([seen(office, IDLE_S + 60)], {key_of(TALK)}, office.wall)
    office.pass_time(120)
    office.read()
    (one,) = machines_view(office.follower.facts, Say(UTC, office.wall)).running
    assert (one.usage.cpu, one.usage.memory, one.usage.idle) == ("\u2013", "\u2013", "")
