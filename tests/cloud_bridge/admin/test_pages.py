"""The admin page's doors: nobody comes in unasked, nothing a room says runs in a browser."""

import csv
import io
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cloud_bridge.admin import passwords
from cloud_bridge.admin.site import Options
from cloud_bridge.store import StoreError
from cloud_bridge.types import Ask
from edge.contracts.signals import Meeting, SourceChanged
from edge.process.web.brake import FREE, Brake
from tests.world.office import PASSWORD, Office, key_of
from tests.world.office_scenes import LAB, air, attention, well
from tests.world.room import meeting

PAGES = ("/", "/meetings", "/machines", "/audit", "/export/rooms.csv", "/audit/aurora/1")
SCRIPT = "<script>alert(1)</script>"


def token(client: FlaskClient, path: str = "/login") -> str:
    found = re.search(r'name="token" value="(\w+)"', client.get(path).text)
    assert found is not None
    return found[1]


def sign_in(client: FlaskClient, password: str = PASSWORD, name: str = "admin") -> TestResponse:
    form = {"token": token(client), "name": name, "password": password}
    return client.post("/login", data=form)


@pytest.fixture
def client(office: Office) -> FlaskClient:
    office.admin()
    return office.client()


@pytest.fixture
def inside(office: Office, client: FlaskClient) -> FlaskClient:
    assert sign_in(client).headers["Location"] == "/"
    return client


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_shown_before_signing_in(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


@pytest.mark.parametrize("path", ["/events?page=overview", "/alive"])
def test_no_stream_before_signing_in(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 401


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_wears_its_headers(office: Office, inside: FlaskClient, path: str) -> None:
    well(office)
    answer = inside.get(path)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script(?! src=)| style=|\son\w+=", answer.text)


def test_the_session_cookie_is_closed_and_its_store_opens_nothing(
    office: Office, client: FlaskClient
) -> None:
    cookie = sign_in(client).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    secret = re.search(r"roomkeeper_admin=(\w{64})", cookie)
    assert secret is not None
    digest = passwords.digest(secret[1])
    assert office.users.holder(digest, office.wall) is not None
    other = office.client()
    other.set_cookie("roomkeeper_admin", digest)
    assert other.get("/").status_code == 303


def test_a_session_ends_by_time_and_by_signing_out(office: Office, inside: FlaskClient) -> None:
    assert inside.get("/").status_code == 200
    office.wall += 12 * 3600 + 1
    assert inside.get("/").status_code == 303
    sign_in(inside)
    kept = inside.get_cookie("roomkeeper_admin")
    assert kept is not None
    assert inside.post("/logout", data={"token": token(inside, "/password")}).status_code == 303
    inside.set_cookie("roomkeeper_admin", kept.value)
    assert inside.get("/").status_code == 303


@pytest.mark.parametrize(
    ("name", "password"),
    [("admin", "wrong"), ("nobody", PASSWORD), ("", ""), ("admin", "x" * 5000), ("\0", "\0")],
)
def test_a_wrong_sign_in_says_the_same_for_everybody(
    client: FlaskClient, name: str, password: str
) -> None:
    answer = sign_in(client, password, name)
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text


def test_brute_force_is_braked_and_the_right_password_waits_too(
    office: Office, client: FlaskClient
) -> None:
    for _ in range(FREE):
        assert sign_in(client, "wrong").status_code == 401
        office.mono += 1
    assert sign_in(client).status_code == 429
    office.mono += 16
    assert sign_in(client).status_code == 303


def test_the_brake_doubles_and_keeps_no_more_than_it_must() -> None:
    now = [0.0]
    brake = Brake(lambda: now[0])
    waits = []
    for _ in range(9):
        brake.failed("a")
        waits.append(brake.wait("a"))
    assert waits == [0, 0, 0, 0, 15, 30, 60, 120, 240]
    for n in range(5000):
        brake.failed(str(n))
    assert len(brake._wrong) <= 2048
    brake.passed("4999")
    assert brake.wait("4999") == 0


def test_nobodys_password_takes_a_hash_too(office: Office) -> None:
    assert not passwords.fits(PASSWORD, None)
    office.admin()
    assert passwords.fits(PASSWORD, office.users.user("admin"))
    user = office.users.user("admin")
    assert user is not None
    assert user.password.startswith("$argon2id$")


def test_the_one_time_password_is_made_once_and_opens_only_its_change(office: Office) -> None:
    first = passwords.first_password(office.users, office.time)
    assert first
    assert passwords.first_password(office.users, office.time) == ""
    client = office.client()
    assert sign_in(client, first).headers["Location"] == "/password"
    for path in PAGES:
        assert client.get(path).headers["Location"] == "/password"
    bad = {"old": first, "new": "short", "again": "short"}
    assert _change(client, bad).status_code == 400
    assert _change(client, {"old": "x", "new": PASSWORD, "again": PASSWORD}).status_code == 403
    assert _change(client, {"old": first, "new": first, "again": first}).status_code == 400
    done = _change(client, {"old": first, "new": PASSWORD, "again": PASSWORD})
    assert done.headers["Location"] == "/?notice=password"
    assert client.get("/").status_code == 200
    assert sign_in(office.client(), first).status_code == 401


def _change(client: FlaskClient, form: dict[str, str]) -> TestResponse:
    return client.post("/password", data={"token": token(client, "/password"), **form})


def test_a_reset_signs_everybody_out(office: Office, inside: FlaskClient) -> None:
    again = passwords.reset_password(office.users, office.time)
    assert inside.get("/").status_code == 303
    assert sign_in(inside, again).headers["Location"] == "/password"


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_administrators_come_in(office: Office, role: str) -> None:
    office.admin(role=role)
    assert sign_in(office.client()).status_code == 403


def test_forged_forms_change_nothing(office: Office, inside: FlaskClient) -> None:
    attention(office)
    path = f"/machines/{key_of(LAB)}/retry"
    good = token(inside, "/machines")
    assert inside.post(path).status_code == 403
    assert inside.post(path, data={"token": "0" * 64}).status_code == 403
    evil = {"Origin": "https://evil.example"}
    assert inside.post(path, data={"token": good}, headers=evil).status_code == 403
    stranger = office.client()
    assert stranger.post(path, data={"token": token(stranger)}).status_code == 303
    assert office.machines.attempts() != []
    assert inside.post(path, data={"token": good}).headers["Location"] == "/machines?notice=retry"
    assert office.machines.attempts() == []


def test_a_dead_letter_is_abandoned_with_who_and_why(office: Office, inside: FlaskClient) -> None:
    attention(office)
    path = f"/machines/{key_of(LAB)}/abandon"
    assert inside.post(path, data={"reason": "x"}).status_code == 403
    told = {"token": token(inside, "/machines"), "reason": " not\0 needed\n" + "c" * 900}
    assert inside.post(path, data=told).headers["Location"] == "/machines?notice=abandoned"
    (attempt,) = office.machines.attempts()
    assert attempt.abandoned
    assert attempt.reason.startswith("abandoned by ")
    assert ": not needed ccc" in attempt.reason
    assert len(attempt.reason) < 512
    other = inside.post(f"/machines/{'x' * 99}/abandon", data=told)
    assert other.headers["Location"] == "/machines?notice=nothing"


def test_a_question_is_answered_once_and_by_nobody_else(
    office: Office, inside: FlaskClient
) -> None:
    office.records.ask(Ask("k", office.wall + 60, "m", "gpu", 12.0), office.wall)
    good = token(inside, "/machines")
    yes = {
        "token": good, "answer": "yes", "reason": "a\0b" + "c" * 900, "asked": repr(office.wall),
    }  # fmt: skip
    assert inside.post("/questions/k", data={"answer": "yes"}).status_code == 403
    assert (
        inside.post("/questions/k", data={"token": good, "answer": "perhaps"})
        .headers["Location"]
        .endswith("nothing")
    )
    for other in ("", "nan", "inf", "1e999", "x", repr(office.wall - 1)):
        stale = {**yes, "asked": other}
        assert inside.post("/questions/k", data=stale).headers["Location"].endswith("answered")
    assert office.records.approvals()[0].state == "asked"
    assert inside.post("/questions/k", data=yes).headers["Location"].endswith("granted")
    told = office.records.approvals()[0]
    assert (told.state, told.who, len(told.reason)) == ("granted", "admin", 300)
    assert inside.post("/questions/k", data=yes).headers["Location"].endswith("answered")
    assert inside.post(f"/questions/{'k' * 200}", data=yes).headers["Location"].endswith("nothing")


def test_a_form_from_before_signing_in_is_refused(office: Office, client: FlaskClient) -> None:
    early = token(client)
    sign_in(client)
    assert client.post("/logout", data={"token": early}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil"])
def test_another_name_is_not_served(client: FlaskClient, host: str) -> None:
    assert client.get("/login", headers={"Host": host}).status_code == 421


def test_what_a_room_says_stays_text(office: Office, inside: FlaskClient) -> None:
    evil = meeting("evil", -60, 30, title=SCRIPT, organiser='"><img src=x onerror=alert(1)>')
    room = office.tenant("aurora").online()
    room.calendar(evil)
    room.say(SourceChanged('camera"><b>', "lost", SCRIPT))
    room.want(replace_title(evil))
    office.give_up(evil, SCRIPT)
    office.letter("roomkeeper/<b>/events", SCRIPT)
    air(room, 2)
    office.read()
    for path in (*PAGES[:4], "/audit?kind=", "/audit?text=" + SCRIPT, "/audit/aurora/4"):
        text = inside.get(path).text
        assert "<script>alert" not in text, path
        assert "<img" not in text, path
        assert "<b>/events" not in text, path
    assert "&lt;script&gt;" in inside.get("/meetings").text


def replace_title(one: Meeting) -> Meeting:
    import msgspec

    return msgspec.structs.replace(one, title=SCRIPT)


@pytest.mark.parametrize(
    "path",
    [
        "/audit?before=99999999999999999999999&room=aurora", "/audit?before=-1", "/audit?before=²",
        "/audit?room=" + "x" * 5000, "/audit?kind=%00", "/audit?text=%25_%5C%00", "/audit?room=%ff",
        "/audit/aurora/99999999999999999999999", "/audit/none/1", "/export/none.csv", "/nowhere",
        "/?notice=<b>", "/?look=<b>", "/machines/x/retry",
    ],
)  # fmt: skip
def test_hostile_addresses_are_answered(office: Office, inside: FlaskClient, path: str) -> None:
    well(office)
    assert inside.get(path).status_code in (200, 404, 405)


def test_the_trail_is_filtered_and_explained(office: Office, inside: FlaskClient) -> None:
    well(office)
    acted = inside.get("/audit?room=aurora").text
    assert "light.main to 45" in acted
    assert "set by hand" in acted
    assert "is ok" not in acted
    assert "light.main to 45" not in inside.get("/audit?room=fjord").text
    assert "co2 860 ppm" in inside.get("/audit?kind=signal&text=CO2").text
    found = re.search(r'/audit/aurora/\d+(?=">.{1,200}Why)', inside.get("/audit?text=light").text)
    assert found is not None
    why = inside.get(found[0]).text
    for part in ("What was known", "Evidence", "people in view", "Policy", "Outcome", "Cause"):
        assert part in why, part


def test_tables_are_files_that_no_spreadsheet_runs(office: Office, inside: FlaskClient) -> None:
    attention(office)
    evil = meeting("evil", 60, 30, title="=HYPERLINK(1)", organiser="+1")
    office.tenant("cedar").calendar(evil)
    office.read()
    for name in ("attention", "rooms", "meetings", "machines", "audit"):
        answer = inside.get(f"/export/{name}.csv")
        assert answer.mimetype == "text/csv"
        rows = list(csv.reader(io.StringIO(answer.text)))
        assert len(rows) > 1, name
        assert len({len(row) for row in rows}) == 1, name
        assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    assert "'=HYPERLINK(1)" in inside.get("/export/meetings.csv").text


def test_a_store_that_is_away_is_told(office: Office, inside: FlaskClient) -> None:
    from cloud_bridge.store import StoreError

    def away(*_: object) -> None:
        raise StoreError("gone")

    office.users.holder = away  # type: ignore[assignment,method-assign]
    answer = inside.get("/")
    assert answer.status_code == 503
    assert "The database does not answer" in answer.text


def test_behind_its_proxy_a_strangers_failures_brake_the_stranger_alone(tmp_path: Path) -> None:
    with Office(tmp_path, Options(tls=True)) as office:
        office.admin()
        client = office.client()
        form = {"token": token(client), "name": "admin"}
        # What a stranger says of himself stands before what the proxy says of him.
        stranger, admin = (
            {"X-Forwarded-For": "192.0.2.9, 198.51.100.7"},
            {"X-Forwarded-For": "192.0.2.9"},
        )
        for _ in range(FREE):
            wrong = client.post("/login", data={**form, "password": "wrong"}, headers=stranger)
            assert wrong.status_code == 401
            office.mono += 1
        right = {**form, "password": PASSWORD}
        assert client.post("/login", data=right, headers=stranger).status_code == 429
        assert client.post("/login", data=right, headers=admin).status_code == 303


def test_an_audit_that_cannot_be_read_is_no_empty_file(
    office: Office, inside: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise StoreError("the database is away")

    monkeypatch.setattr(office.looks, "search", away)
    answer = inside.get("/export/audit.csv")
    assert answer.status_code == 503
    assert "the database is away" in answer.text
