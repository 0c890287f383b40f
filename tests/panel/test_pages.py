"""The panel's doors: forged, foreign and malformed requests change nothing."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from edge.contracts.gating import GateRule
from edge.process.web.guard import ASKS_AT_ONCE
from tests.world.door import ROOM, Door, meeting
from tests.world.scenes import busy, free

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def door() -> Iterator[Door]:
    with Door() as opened:
        free(opened)
        yield opened


@pytest.fixture
def client(door: Door) -> FlaskClient:
    return door.app.test_client()


def token(client: FlaskClient) -> str:
    found = re.search(r'name="token" value="(\w+)"', client.get("/").text)
    assert found is not None
    return found[1]


def ask(client: FlaskClient, verb: str, **fields: str) -> TestResponse:
    form = {"token": token(client), **fields}
    return client.post(f"/do/{verb}", data=form, headers={"Accept": "application/json"})


def asked(door: Door) -> bool:
    """Whether anything reached the room: a booking, a hold or a withdrawn consent."""
    state = door.loop.state
    held = any(p.priority == "manual" for p in state.holdings.values())
    return held or state.room.consent != "all" or any(x.unread for x in state.lives.values())


def test_every_answer_wears_its_headers(client: FlaskClient) -> None:
    for path in ("/", "/why/nothing", "/nowhere", "/static/panel.js"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'"), path
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
    assert client.get("/").headers["Cache-Control"] == "no-store"
    assert "max-age=31536000" in client.get("/static/panel.js").headers["Cache-Control"]


def test_the_cookie_stays_with_this_site(client: FlaskClient) -> None:
    cookie = client.get("/").headers["Set-Cookie"]
    assert "SameSite=Strict" in cookie
    assert "HttpOnly" in cookie


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "",
        "localhost@evil",
        "[::1",
        "[::1]evil",
        "localhost:x",
        "a" * 5000,
    ],
)
def test_another_name_is_not_served(door: Door, client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code in (400, 421)
    form = {"token": token(client), "value": "off"}
    answer = client.post("/do/consent", data=form, headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert not asked(door)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
def test_its_own_names_are_served(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("forged", ["", "0" * 64, "é" * 64, "\x00"])
def test_a_form_without_its_token_is_refused(door: Door, client: FlaskClient, forged: str) -> None:
    client.get("/")
    answer = client.post("/do/consent", data={"token": forged, "value": "off"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/?notice=refused_stale"
    assert not asked(door)


def test_another_browsers_token_is_refused(door: Door, client: FlaskClient) -> None:
    other = token(door.app.test_client())
    client.get("/")
    client.post("/do/consent", data={"token": other, "value": "off"})
    door.app.test_client().post("/do/consent", data={"token": other, "value": "off"})
    assert not asked(door)


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_another_sites_form_is_refused(
    door: Door, client: FlaskClient, headers: dict[str, str]
) -> None:
    form = {"token": token(client), "value": "off"}
    client.post("/do/consent", data=form, headers=headers)
    assert not asked(door)


@pytest.mark.parametrize(
    ("verb", "fields", "code"),
    [
        ("set", {"actuator": "light.main", "value": "nan"}, 409),
        ("set", {"actuator": "light.main", "value": "1e999"}, 409),
        ("set", {"actuator": "light.main", "value": "-1"}, 409),
        ("set", {"actuator": "climate.setpoint", "value": "60"}, 409),
        ("set", {"actuator": "light.main", "value": "'; drop table"}, 409),
        ("set", {"actuator": "vm/anything", "value": "demo-small"}, 400),
        ("set", {"actuator": "../../x", "value": "1"}, 400),
        ("set", {"value": "1"}, 400),
        ("release", {"actuator": SCRIPT}, 400),
        ("consent", {"value": "everything"}, 400),
        ("book", {"minutes": "100000"}, 409),
        ("book", {"minutes": "-15"}, 409),
        ("end", {"meeting": "early/"}, 409),
        ("extend", {"meeting": SCRIPT}, 409),
        ("keep", {}, 409),
        ("hold", {}, 400),
        ("__class__", {}, 400),
        ("consent", {"value": "x" * 4000}, 400),
    ],
)
def test_what_is_not_on_offer_is_refused(
    door: Door, client: FlaskClient, verb: str, fields: dict[str, str], code: int
) -> None:
    answer = ask(client, verb, **fields)
    assert answer.status_code == code
    assert answer.json is not None
    assert answer.json["ok"] is False
    assert SCRIPT not in answer.text
    assert not asked(door)


def test_a_body_too_large_is_not_read(door: Door, client: FlaskClient) -> None:
    answer = client.post("/do/consent", data={"token": "x" * 20_000})
    assert answer.status_code == 413
    many = {f"f{i}": "x" for i in range(1000)}
    answer = client.post("/do/consent", data=many, content_type="multipart/form-data")
    assert answer.status_code == 413
    assert not asked(door)


def test_taps_without_end_are_slowed(client: FlaskClient) -> None:
    form = {"token": token(client), "actuator": "light.main", "value": "nonsense"}
    json = {"Accept": "application/json"}
    codes = [
        client.post("/do/set", data=form, headers=json).status_code for _ in range(ASKS_AT_ONCE + 5)
    ]
    assert codes[0] == 409
    assert codes[-1] == 429


def test_titles_from_the_calendar_are_text(door: Door, client: FlaskClient) -> None:
    evil = meeting("evil", -5, title=f'"{SCRIPT}<img src=x>', organiser=f"mailto:{SCRIPT}")
    door.calendar(evil, meeting(f"{SCRIPT}'", 60, title="\u202e" + "x" * 5000))
    page = client.get("/").text
    assert SCRIPT not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert len(page) < 60_000


@pytest.mark.parametrize(
    "path",
    [
        "/theme/x/../tokens.css", "/theme/x/icons.svg", "/theme/x/%2e%2e%2froom.toml",
        "/static/..%2fpages.py", "/why/%00", "/why/" + "a" * 3000, "/do/consent", "/events/x",
    ],
)  # fmt: skip
def test_paths_lead_nowhere_else(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code in (404, 405)


def test_an_unknown_query_changes_nothing(client: FlaskClient) -> None:
    page = client.get(f"/?lang=xx&look={SCRIPT}&tab={SCRIPT}&notice={SCRIPT}").text
    assert SCRIPT not in page
    assert 'lang="en"' in page


def test_a_choice_of_language_and_look_is_kept(client: FlaskClient) -> None:
    client.get("/?lang=de&look=dark")
    page = client.get("/").text
    assert 'lang="de" data-theme="dark"' in page
    assert "Frei" in page


def test_what_the_room_was_asked_is_done_when_the_answer_comes(
    door: Door, client: FlaskClient
) -> None:
    answer = ask(client, "book", minutes="30")
    assert (answer.status_code, answer.json) == (200, {"ok": True, "word": "done", "text": "Done"})
    assert "In use" in client.get("/").text
    assert ask(client, "book", minutes="30").status_code == 409
    assert ask(client, "set", actuator="light.main", value="40").status_code == 200
    assert door.loop.state.given["light.main"].value == 40
    assert ask(client, "release", actuator="light.main").status_code == 200
    assert ask(client, "consent", value="counts").status_code == 200
    assert door.loop.state.room.consent == "counts"


def test_a_wish_the_rules_forbid_is_answered_so() -> None:
    rule = '@id("no-hands") forbid(principal is Person, action, resource);'
    with Door(replace(ROOM, policy=ROOM.policy + rule)) as door:
        free(door)
        answer = ask(door.app.test_client(), "set", actuator="light.main", value="40")
        assert answer.status_code == 409
        assert answer.json is not None
        assert answer.json["word"] == "refused_policy"


def test_a_wish_that_comes_too_fast_is_answered_so() -> None:
    gate = (GateRule("light.main", 0, 100, rate_per_min=1), *ROOM.gate[1:])
    with Door(replace(ROOM, gate=gate)) as door:
        free(door)
        answer = ask(door.app.test_client(), "set", actuator="light.main", value="40")
        assert answer.json is not None
        assert answer.json["word"] == "refused_gate"


def test_an_explanation_leads_to_the_record(door: Door, client: FlaskClient) -> None:
    busy(door)
    command = door.loop.state.given["light.main"]
    page = client.get(f"/why/{command.id}").text
    for text in ("Light to 80 %", "live-demo", command.cause, "Undo: set to 0 %"):
        assert text in page
    assert client.get("/why/aurora-1-99999.c0").status_code == 404
