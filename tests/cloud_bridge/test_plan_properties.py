"""What holds for every plan, whatever is wanted and whatever exists."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.plan import failed, plan
from cloud_bridge.types import (
    Attempt,
    Capacity,
    Create,
    Delete,
    Forget,
    GiveUp,
    Machine,
    Plan,
    Records,
    Renew,
    Wanted,
)
from edge.contracts.base import Now
from edge.contracts.wire import WantedMachine
from tests.cloud_bridge.cases import T0, TEMPLATES

KEYS, ROOMS = st.sampled_from("pqrst"), st.sampled_from("abc")
TIMES = st.integers(0, 400).map(lambda tens: T0 + tens * 10.0)
NAMES = st.sampled_from(["small", "big", "unknown"])


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, WantedMachine]:
    start = draw(TIMES)
    key = draw(KEYS)
    end = start + draw(st.integers(1, 200)) * 10.0
    return draw(ROOMS), WantedMachine(key, f"m-{key}", draw(NAMES), start, end)


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    name = draw(NAMES)
    memory = TEMPLATES[name].memory_mib if name in TEMPLATES else 64
    phase = draw(st.sampled_from(["creating", "booting", "ready", "ending", "dead"]))
    rooms = tuple(draw(st.lists(ROOMS, min_size=1, unique=True)))
    key, ours = draw(KEYS), draw(st.booleans())
    until, created = draw(TIMES), draw(TIMES)
    return Machine(key, f"m-{key}", rooms, name, phase, until, created, memory, 60.0, ours=ours)


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    return Attempt(draw(KEYS), draw(st.integers(1, 6)), draw(TIMES), draw(st.booleans()), "why")


@st.composite
def worlds(draw: st.DrawFn) -> "World":
    wants = tuple(draw(st.lists(rows(), max_size=8)))
    heard = {room for room, _ in wants} | draw(st.sets(ROOMS))
    held = draw(st.lists(machines(), max_size=5, unique_by=lambda machine: machine.key))
    tried = draw(st.lists(attempts(), max_size=3, unique_by=lambda attempt: attempt.key))
    capacity = Capacity(draw(st.sampled_from([0, 128, 600, 4096])), draw(st.integers(0, 3)))
    instant = Now(draw(TIMES), 0.0, draw(st.booleans()))
    return World(Wanted(frozenset(heard), wants), held, tried, capacity, instant)


class World:
    """The rows and machines a plan is asked about; `apply` does what a plan says, as told."""

    def __init__(
        self,
        wanted: Wanted,
        held: list[Machine],
        tried: list[Attempt],
        capacity: Capacity,
        now: Now,
    ) -> None:
        self.wanted, self.capacity, self.now = wanted, capacity, now
        self.machines = {machine.key: machine for machine in held}
        self.attempts = {attempt.key: attempt for attempt in tried}

    def plan(self) -> Plan:
        return plan(
            self.wanted,
            self.machines.values(),
            Records(tuple(self.attempts.values())),
            TEMPLATES,
            self.capacity,
            self.now,
        )

    def memory(self) -> int:
        return sum(machine.memory_mib for machine in self.machines.values() if machine.ours)

    def apply(self, planned: Plan) -> None:
        for action in planned.actions:
            match action:
                case Create(key, meeting, rooms, template, until):
                    if key in self.machines:
                        continue  # a stranger holds the name: the provider refuses
                    self.machines[key] = Machine(
                        key,
                        meeting,
                        rooms,
                        template.name,
                        "booting",
                        until,
                        self.now.wall,
                        template.memory_mib,
                        template.grace_s,
                    )
                case Renew(key, until):
                    self.machines[key] = replace(self.machines[key], until=until)
                case Delete(key, reason, is_failed):
                    del self.machines[key]
                    if is_failed:
                        tried = failed(self.attempts.get(key), key, reason, self.now)
                        self.attempts[key] = tried
                case GiveUp(key, reason):
                    self.attempts[key] = replace(self.attempts[key], given_up=True)
                case Forget(key):
                    del self.attempts[key]


def touched(planned: Plan) -> list[str]:
    return [action.key for action in planned.actions]


@given(worlds())
def test_one_action_a_key_and_nothing_untagged_is_touched(world: World) -> None:
    planned = world.plan()
    assert len(set(touched(planned))) == len(planned.actions)
    for action in planned.actions:
        if isinstance(action, Renew | Delete):
            assert world.machines[action.key].ours
        if isinstance(action, Create):
            assert action.key not in world.machines or not world.machines[action.key].ours


@given(worlds())
def test_memory_and_boots_stay_within_capacity(world: World) -> None:
    creates = [a for a in world.plan().actions if isinstance(a, Create)]
    booting = sum(m.ours and m.phase in ("creating", "booting") for m in world.machines.values())
    if creates:
        added = sum(create.template.memory_mib for create in creates)
        assert world.memory() + added <= world.capacity.memory_mib
        assert booting + len(creates) <= world.capacity.boots


@given(worlds())
def test_none_past_lease_and_grace_survives_a_trusted_plan(world: World) -> None:
    planned = world.plan()
    deleted = {action.key for action in planned.actions if isinstance(action, Delete)}
    for machine in world.machines.values():
        ends = [row.end for _, row in world.wanted.rows if row.key == machine.key]
        latest = max([machine.until, *ends])
        over = world.now.wall >= latest + machine.grace_s
        idle = machine.phase not in ("creating", "ending")
        if machine.ours and idle and over and world.now.trusted:
            assert machine.key in deleted


@given(worlds())
def test_a_wanted_running_machine_of_the_right_template_is_never_deleted(world: World) -> None:
    deleted = {action.key for action in world.plan().actions if isinstance(action, Delete)}
    for machine in world.machines.values():
        rows = [row for _, row in world.wanted.rows if row.key == machine.key]
        in_use = any(row.start <= world.now.wall < row.end for row in rows)
        first = min(rows, key=lambda row: row.start, default=None)
        if in_use and first and first.start <= world.now.wall and machine.phase == "ready":
            assert machine.key not in deleted


@given(worlds())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(world: World) -> None:
    strangers = {m.key for m in world.machines.values() if not m.ours}
    for _ in range(4):
        planned = world.plan()
        left = [a for a in planned.actions if a.key not in strangers]
        world.apply(planned)
        if not any(isinstance(action, Delete) for action in planned.actions):
            break
    else:
        raise AssertionError(f"still deleting: {left}")
    again = [a for a in world.plan().actions if a.key not in strangers]
    assert again == []


@given(worlds())
def test_it_asks_to_be_called_later_only_for_what_is_not_due_yet(world: World) -> None:
    planned = world.plan()
    if world.now.trusted and not planned.actions:
        assert planned.next_due > world.now.wall


@given(worlds())
def test_every_wanted_machine_of_a_coming_meeting_is_shown_once_to_its_room(world: World) -> None:
    shown = [(standing.room, standing.key) for standing in world.plan().standings]
    assert len(set(shown)) == len(shown)
    for room, row in world.wanted.rows:
        if row.end > world.now.wall:
            assert (room, row.key) in shown
