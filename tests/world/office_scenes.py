"""Every state the admin page can show, brought about through the real ingest."""

from cloud_bridge.store import UsageStore
from cloud_bridge.types import Usage
from edge.contracts.signals import (
    Meeting,
    MotionChanged,
    NodeReading,
    OccupancyEstimated,
    OperatorAsked,
    PeopleCounted,
    SoundMeasured,
    SourceChanged,
)
from tests.world.office import Office, Scene, Tenant, key_of
from tests.world.room import meeting

DEMO = meeting("live", -720, 60, title="Live demo for Northwind", organiser="Mira Okafor")
NEXT = meeting("design", 3600, 60, title="Design critique", organiser="Aiko Tan")
SPRINT = meeting("sprint", 300, 45, title="Sprint planning", organiser="Jonas Weber", categories=())
BOARD = meeting("board", 7200, 120, private=True, organiser="Mira Okafor")
LAB = meeting("lab", -300, 90, title="Kernel lab", organiser="Priya Nair")
EARLY = meeting("early", -9000, 45, title="Stand-up", categories=())


def air(tenant: Tenant, people: int = 0, co2: float = 560.0, warmth: float = 21.4) -> Tenant:
    return tenant.say(
        SourceChanged("camera", "ok"),
        SourceChanged("calendar", "ok"),
        SourceChanged("microphone", "ok"),
        NodeReading("node:air", "temperature", warmth),
        NodeReading("node:air", "co2", co2),
        SoundMeasured("microphone", -32.0, 0.8 if people else 0.0),
        MotionChanged("node:air", people > 0),
        PeopleCounted("camera", people, 0.9),
        OccupancyEstimated("occupancy", 0.97 if people else 0.04, "gru-8", ("camera", "voice")),
    )


def loading(_office: Office) -> None:
    """Nothing is read yet."""


def empty(office: Office) -> None:
    office.read()


def _aurora(office: Office) -> Tenant:
    start = office.wall
    office.wall = start - 9200
    aurora = office.tenant("aurora").online()
    air(aurora, 3)
    aurora.calendar(EARLY, DEMO, NEXT, BOARD)
    office.wall = start - 1100
    air(aurora, 0)
    aurora.want(DEMO, NEXT)
    steps = (("wanted", -1100), ("creating", -1020), ("booting", -1018), ("ready", -1011))
    for phase, at in steps:
        office.wall = start + at
        aurora.machine(DEMO, phase)
    office.wall = start - 700
    air(aurora, 4, 780.0)
    office.wall = start - 90
    aurora.say(OperatorAsked("panel", "set", actuator="light.main", value=45, seconds=600))
    office.wall = start
    aurora.machine(NEXT, "wanted")
    used(office, DEMO, cpu=0.37)
    return air(aurora, 4, 860.0, 21.9)


def used(office: Office, one: Meeting, cpu: float, idle_s: float = 0.0) -> None:
    """What the machine of a meeting was seen to use."""
    since = office.wall - idle_s if idle_s else 0.0
    row = Usage(
        key_of(one), "t", office.wall, office.wall - 1020, cpu, 142, 48_300_000, since, 0.8
    )  # fmt: skip
    UsageStore(office.store).keep([row], {row.key}, office.wall)


def well(office: Office) -> None:
    _aurora(office)
    cedar = office.tenant("cedar").online()
    cedar.calendar(SPRINT)
    air(cedar, 0, 470.0)
    fjord = office.tenant("fjord").online()
    fjord.calendar(BOARD)
    air(fjord, 0, 455.0, 20.8)
    office.read()


def attention(office: Office) -> None:
    start = office.wall
    office.wall = start - 2700
    dune = office.tenant("dune").online()
    air(dune, 2, 640.0)
    elm = office.tenant("elm").online()
    air(elm, 1, 700.0)
    office.wall = start - 1500
    dune.online(False)
    birch = office.tenant("birch").online()
    birch.calendar(LAB)
    birch.want(LAB)
    birch.machine(LAB, "creating")
    office.wall = start
    well(office)
    air(birch, 7, 1480.0, 24.6)
    birch.say(
        SourceChanged("microphone", "lost", "unplugged", 3),
        SourceChanged("broker:room", "degraded", "reconnecting", 1),
    )
    birch.machine(LAB, "failed", "the guest did not answer within 60 s")
    office.give_up(LAB, "the guest did not answer within 60 s")
    office.tenant("fjord").say(SourceChanged("calendar", "lost", "connection refused", 2))
    office.letter("roomkeeper/gale/events", "Object missing required field `sequence`")
    office.read()


def stale(office: Office) -> None:
    attention(office)
    office.pass_time(45)
    office.looks.rooms = _away  # type: ignore[method-assign]
    office.follower.step()


def _away() -> None:
    from cloud_bridge.store import StoreError

    raise StoreError("database: connection refused")


def degraded(office: Office) -> None:
    from cloud_bridge.admin.facts import Part

    well(office)
    office.parts = (
        Part("ingest", "away", "It is started again by its supervisor.", office.wall - 8),
        Part("reconciler", "ill", "broker: False", office.wall - 4),
    )
    office.read()


def idle(office: Office) -> None:
    """A machine runs on for people who went."""
    well(office)
    cedar = office.tenant("cedar")
    cedar.want(SPRINT)
    cedar.machine(SPRINT, "ready")
    air(cedar, 0, 470.0)
    used(office, SPRINT, cpu=0.004, idle_s=1300)
    office.read()


SCENES: dict[str, Scene] = {
    scene.__name__: scene for scene in (loading, empty, well, attention, stale, degraded, idle)
}
