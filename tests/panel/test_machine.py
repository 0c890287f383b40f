"""A machine at the panel: its code after check-in alone, a walk-up's, what is taken instead."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
from flask.testing import FlaskClient

from edge.contracts import codes
from edge.contracts.gating import GateRule
from edge.contracts.signals import MachineChanged, OperatorAsked
from edge.contracts.wire import MachineReport
from edge.decide.codes import CODE_S
from tests.panel.test_pages import ask
from tests.world.door import NOON, OPTIONS, ROOM, Door, meeting
from tests.world.scenes import LIVE, air, busy, free, machine

SETTINGS = replace(
    ROOM,
    gate=(*ROOM.gate[:2], GateRule("vm/*", values=("demo-small", "demo-tiny"))),
    costs={"demo-small": 0.5, "demo-tiny": 9.0},
)
TALK = meeting("talk", -5, 60, title="Talk")


@pytest.fixture
def door() -> Iterator[Door]:
    with Door(SETTINGS, replace(OPTIONS, door="door.example.org")) as opened:
        yield opened


@pytest.fixture
def client(door: Door) -> FlaskClient:
    return door.app.test_client()


def shown(client: FlaskClient) -> str:
    """The code on the page, "" when there is none."""
    _, found, rest = client.get("/").text.partition('<p class="code numeral">')
    return rest.partition("</span>")[2].partition("<")[0] if found else ""


def sealed(door: Door) -> dict[str, tuple[str, float]]:
    return {one.meeting: (one.code, one.code_until) for one in door.loop.state.wanted if one.code}


def reported(door: Door, uid: str, **more: object) -> MachineReport:
    wish = next(one for one in door.loop.state.wanted if one.meeting == f"{uid}/")
    report = MachineReport(wish.key, wish.meeting, wish.template, "refused", door.wall)
    report = msgspec.structs.replace(report, **more)
    door.say(MachineChanged("service", (report,)))
    return report


def test_a_code_is_shown_after_check_in_and_gone_after_the_meeting(
    door: Door, client: FlaskClient
) -> None:
    door.calendar(LIVE)
    air(door, 0)
    machine(door, "ready")
    assert door.loop.state.lives["live/"].phase == "open"
    assert ask(client, "connect", meeting="live/").status_code == 409
    assert shown(client) == ""
    door.say(OperatorAsked("panel", "check_in", meeting="live/"))
    assert shown(client) == ""  # only who asks for it sees it
    assert ask(client, "connect", meeting="live/").status_code == 200
    code = codes.typed(shown(client))
    seal, until = sealed(door)["live/"]
    assert until == pytest.approx(door.wall + CODE_S)
    key = door.loop.state.wanted[0].key
    assert codes.opens(code, key, seal)
    assert "door.example.org" in client.get("/").text
    door.say(OperatorAsked("panel", "end", meeting="live/"))
    assert shown(client) == ""
    assert sealed(door) == {}
    assert door.loop.state.codes == {}


def test_a_code_lapses_and_another_replaces_it(door: Door, client: FlaskClient) -> None:
    busy(door)
    ask(client, "connect", meeting="live/")
    first = shown(client)
    ask(client, "connect", meeting="live/")
    second = shown(client)
    assert first != second
    key = door.loop.state.wanted[0].key
    assert not codes.opens(codes.typed(first), key, sealed(door)["live/"][0])
    assert codes.opens(codes.typed(second), key, sealed(door)["live/"][0])
    air(door)
    door.pass_time(CODE_S + 1)
    assert shown(client) == ""
    assert sealed(door) == {}


def test_no_code_goes_through_the_journal(door: Door, client: FlaskClient) -> None:
    busy(door)
    ask(client, "connect", meeting="live/")
    code = codes.typed(shown(client))
    kept = repr(door.loop.state) + repr(door.recent.last(100))
    assert code
    assert code not in kept
    assert codes.shown(code) not in kept


def test_a_machine_that_ended_has_no_code(door: Door, client: FlaskClient) -> None:
    busy(door)
    ask(client, "connect", meeting="live/")
    machine(door, "ending")
    assert shown(client) == ""
    assert ask(client, "connect", meeting="live/").status_code == 409


def test_the_policy_may_forbid_codes_and_machines() -> None:
    text = SETTINGS.policy + 'forbid(principal, action == Action::"connect_machine", resource);'
    with Door(replace(SETTINGS, policy=text)) as door:
        client = door.app.test_client()
        busy(door)
        answer = ask(client, "connect", meeting="live/")
        assert (answer.status_code, answer.get_json()["word"]) == (409, "refused_policy")
        assert shown(client) == ""
        door.calendar(TALK)
        door.say(OperatorAsked("panel", "check_in", meeting="talk/"))
        answer = ask(client, "machine", meeting="talk/", template="demo-tiny")
        assert (answer.status_code, answer.get_json()["word"]) == (409, "refused_policy")
        assert door.loop.state.wanted == ()


def test_a_walk_up_user_gets_a_machine_at_once(door: Door, client: FlaskClient) -> None:
    free(door)
    page = client.get("/").text
    assert "30 min with demo-small" in page
    assert ask(client, "book", minutes="30", template="demo-small").status_code == 200
    wish = door.loop.state.wanted[0]
    assert (wish.template, wish.start) == ("demo-small", NOON)
    assert "is being made" in client.get("/").text
    reported(door, wish.meeting[:-1], phase="booting", expected=door.wall + 90)
    assert "ready in about 2 min" in client.get("/").text


def test_a_plain_booking_asks_for_no_machine(door: Door, client: FlaskClient) -> None:
    free(door)
    assert ask(client, "book", minutes="30").status_code == 200
    assert door.loop.state.wanted == ()


def test_a_meeting_under_way_gets_one(door: Door, client: FlaskClient) -> None:
    door.calendar(TALK)
    door.say(OperatorAsked("panel", "check_in", meeting="talk/"))
    assert ask(client, "machine", meeting="talk/", template="demo-small").status_code == 200
    assert [one.template for one in door.loop.state.wanted] == ["demo-small"]
    assert ask(client, "machine", meeting="talk/", template="demo-small").status_code == 409


@pytest.mark.parametrize("template", ["", "gpu", "../x", "demo-small\0"])
def test_only_templates_of_the_room_are_given(
    door: Door, client: FlaskClient, template: str
) -> None:
    door.calendar(TALK)
    door.say(OperatorAsked("panel", "check_in", meeting="talk/"))
    assert ask(client, "machine", meeting="talk/", template=template).status_code == 409
    assert door.loop.state.wanted == ()


def test_what_is_offered_instead_is_taken_with_a_tap(door: Door, client: FlaskClient) -> None:
    settings = replace(SETTINGS, costs={})
    with Door(settings) as cheap:
        client = cheap.app.test_client()
        busy(cheap)
        later = NOON + 168 * 60
        reported(cheap, "live", smaller="demo-tiny", next_start=later)
        page = client.get("/").text
        assert "Take demo-tiny" in page
        assert "Book 16:00" in page
        fields = {"meeting": "live/", "template": "demo-tiny"}
        assert ask(client, "machine", **fields).status_code == 200
        assert cheap.loop.state.wanted[0].template == "demo-tiny"
        reported(cheap, "live", next_start=later)
        fields = {"start": f"{later:.0f}", "template": "demo-tiny"}
        assert ask(client, "book", **fields).status_code == 200
        booked = [one for one in cheap.loop.state.lives.values() if one.meeting.start == later]
        assert [(one.phase, one.end, one.vm) for one in booked] == [
            ("booked", later + 3600, "demo-tiny")
        ]


def test_a_slot_that_the_room_does_not_have_is_not_offered(door: Door, client: FlaskClient) -> None:
    busy(door)
    reported(door, "live", next_start=NOON + 110 * 60)  # the design critique is then
    assert "Book 15:02" not in client.get("/").text
    fields = {"start": f"{NOON + 110 * 60:.0f}", "template": "demo-small"}
    assert ask(client, "book", **fields).status_code == 409


def test_the_room_explains_who_asked_for_a_machine(door: Door, client: FlaskClient) -> None:
    free(door)
    ask(client, "book", minutes="30", template="demo-small")
    commands = [c for past in door.recent.last(50) for c in past.decision.commands]
    asked = next(c for c in commands if c.actuator.startswith("vm/"))
    assert asked.reason == "asked for at the panel"
    assert "asked for at the panel" in client.get(f"/why/{asked.id}").text


@pytest.mark.parametrize("later", [1e15, -1e15, 1e300])
def test_a_slot_that_no_calendar_knows_breaks_no_page(
    door: Door, client: FlaskClient, later: float
) -> None:
    busy(door)
    reported(door, "live", next_start=later)
    assert client.get("/").status_code == 200
