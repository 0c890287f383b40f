"""One code opens one machine, once; whatever is tried, no other way in is found."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_bridge.door.site import place_of
from cloud_bridge.store.door import WRONG_LIMIT
from edge.contracts import codes
from edge.process.web.brake import FREE
from tests.cloud_bridge.door.world import Guest, House, Visitor


def test_a_code_opens_its_machine_once(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    code = house.code(machine)
    visitor = Visitor(house)
    status, headers, _ = visitor.enter(codes.shown(code).lower())
    assert (status, headers["Location"]) == (303, f"/m/{place_of(machine.key)}/")
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    assert "aurora" in visitor.ask("GET", headers["Location"])[2]
    assert visitor.page(machine)[2] == "<h1>hello</h1>"

    again = Visitor(house)
    status, _, text = again.enter(code)
    assert status == 403
    assert "used already" in text
    assert again.page(machine)[0] == 302
    assert visitor.page(machine)[0] == 200


def test_two_at_once_do_not_both_enter(house: House, guest: Guest) -> None:
    code = house.code(house.machine(guest.address))
    visitors = [Visitor(house) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = sorted(answer[0] for answer in pool.map(lambda v: v.enter(code), visitors))
    assert answers == [303, 403, 403, 403]


@pytest.mark.parametrize("code", ["", "nonsense", "AAA-AAA-AAA", "0OI-1LB-SVZ", "A" * 1000, "\0"])
def test_a_wrong_code_opens_nothing(house: House, guest: Guest, code: str) -> None:
    house.code(house.machine(guest.address))
    assert Visitor(house).enter(code)[0] == 403
    assert house.door.count() == 0


def test_a_lapsed_code_and_one_that_was_replaced_open_nothing(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    first = house.code(machine)
    second = house.code(machine, seconds=60)
    assert Visitor(house).enter(first)[0] == 403
    house.late = 61
    assert Visitor(house).enter(second)[0] == 403
    assert house.door.count() == 0


def test_guessing_is_slowed_down_and_spoils_the_code(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    code = house.code(machine)
    wrong = code[:-1] + ("2" if code[-1] != "2" else "3")
    visitor = Visitor(house)
    answers = [visitor.enter(wrong)[0] for _ in range(FREE + 2)]
    assert answers == [403] * FREE + [429] * 2
    assert visitor.enter(code)[0] == 429
    for _ in range(WRONG_LIMIT - FREE):
        house.go_on(1000)
        assert visitor.enter(wrong)[0] == 403
    house.go_on(1000)
    status, _, text = visitor.enter(code)
    assert status == 403
    assert "tried too often" in text
    assert house.door.count() == 0


def test_a_visit_ends_with_its_machine(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    assert visitor.page(machine)[0] == 200
    house.end(machine)
    status, headers, _ = visitor.page(machine)
    assert (status, headers["Location"]) == (302, "/?over")


def test_a_machine_made_anew_under_the_key_is_another(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))

    house.machines.intend(replace(machine, token="other"), begun=True, at=house.wall())
    assert visitor.page(machine)[0] == 302


def test_another_machine_is_out_of_reach(house: House, guest: Guest) -> None:
    mine, theirs = house.machine(guest.address), house.machine(guest.address)
    visitor = Visitor(house)
    visitor.enter(house.code(mine))
    guest.asked.clear()
    assert visitor.page(theirs)[0] == 404
    assert visitor.ask("GET", f"/m/{place_of(theirs.key)}/")[0] == 404
    assert visitor.ask("GET", f"/m/{place_of(theirs.key)}/vnc")[0] == 404
    assert guest.asked == []


def test_who_leaves_is_out(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    kept = dict(visitor.cookies)
    page = visitor.ask("GET", f"/m/{place_of(machine.key)}/")[2]
    token = page.partition('name="token" value="')[2].partition('"')[0]
    assert visitor.ask("POST", "/leave", f"token={token}".encode())[0] == 303
    visitor.cookies = kept
    assert visitor.page(machine)[0] == 302


def test_a_machine_that_is_not_ready_uses_no_code_up(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address, phase="booting")
    code = house.code(machine)
    assert Visitor(house).enter(code)[0] == 409

    house.machines.intend(replace(machine, phase="ready"), begun=True, at=house.wall())
    assert Visitor(house).enter(code)[0] == 303


def test_nothing_kept_gives_a_code_or_a_visit_away(
    house: House, guest: Guest, tmp_path: Path
) -> None:
    machine = house.machine(guest.address)
    code = house.code(machine)
    visitor = Visitor(house)
    visitor.enter(code)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("cloud.db*"))
    assert code.encode() not in kept
    assert codes.shown(code).encode() not in kept
    assert visitor.cookies["roomkeeper_door"].encode() not in kept


# Forms.


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": ""}, {"Origin": "null"}],
)
def test_a_form_of_another_site_is_refused(
    house: House, guest: Guest, headers: dict[str, str]
) -> None:
    code = house.code(house.machine(guest.address))
    assert Visitor(house).enter(code, **headers)[0] == 403
    assert house.door.count() == 0


def test_a_form_without_its_token_is_refused(house: House) -> None:
    visitor = Visitor(house)
    visitor.token()
    assert visitor.ask("POST", "/enter", b"code=x&token=" + b"0" * 64)[0] == 403


def test_huge_and_malformed_forms_are_refused(house: House) -> None:
    visitor = Visitor(house)
    assert visitor.ask("POST", "/enter", b"code=" + b"A" * 5000)[0] == 413
    assert visitor.ask("POST", "/enter", b"&".join(b"a=1" for _ in range(20)))[0] == 400
    assert visitor.ask("POST", "/enter", b"\xff\xfe")[0] == 400


def test_a_foreign_name_is_refused(house: House) -> None:
    assert Visitor(house).ask("GET", "/", Host="evil.example")[0] == 421


# What the guest's page is told, and what it may tell.
