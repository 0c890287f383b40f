"""The guest's page behind the door: neither reaches more of the other than it may."""

import pytest
from aiohttp import web

from cloud_bridge.door.proxy import BODY_LIMIT, moved, safe_path
from cloud_bridge.door.site import place_of
from tests.cloud_bridge.door.world import Guest, House, Visitor, raw_answer


def test_the_guest_learns_nothing_of_the_door(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    visitor.page(machine, "/a/b?c=d%20e", X_Forwarded_For="1.2.3.4", Upgrade="h2c", X_Evil="1")
    method, path, headers, _ = guest.asked[-1]
    assert (method, path) == ("GET", "/a/b?c=d%20e")
    assert {name.lower() for name in headers} <= {
        "host", "accept", "accept-encoding", "user-agent", "x-forwarded-prefix",
        "x-roomkeeper-token",
    }  # fmt: skip
    assert headers["X-Roomkeeper-Token"] == machine.token
    assert headers["Host"] == guest.address


def test_the_guests_answer_sets_nothing_for_the_door(house: House) -> None:
    hostile = {
        "Set-Cookie": "roomkeeper_door=stolen; Path=/",
        "Content-Security-Policy": "default-src *",
        "Service-Worker-Allowed": "/",
        "Clear-Site-Data": '"*"',
        "Access-Control-Allow-Origin": "*",
    }
    page = Guest("x", hostile)
    try:
        machine = house.machine(page.address)
        visitor = Visitor(house)
        visitor.enter(house.code(machine))
        _, headers, _ = visitor.page(machine)
        assert "Set-Cookie" not in headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert not {"Service-Worker-Allowed", "Clear-Site-Data"} & set(headers)
        assert "Access-Control-Allow-Origin" not in headers
        assert visitor.page(machine, "/sw.js", Service_Worker="script")[0] == 403
    finally:
        page.close()


@pytest.mark.parametrize(
    ("told", "leads"),
    [("/next", True), ("next", True), ("http://evil.example/", False), ("//evil.example", False)],
)
def test_a_redirect_stays_behind_the_door(house: House, told: str, leads: bool) -> None:
    page = Guest("", {"Location": told})
    try:
        machine = house.machine(page.address)
        visitor = Visitor(house)
        visitor.enter(house.code(machine))
        location = visitor.page(machine)[1].get("Location", "")
        assert "evil" not in location
        assert bool(location) is leads
    finally:
        page.close()


PREFIX = "/m/0123456789abcdef/page"


@pytest.mark.parametrize(
    "path",
    [
        "/../x", "/%2e%2e/x", "/a/%2E%2e%2fx", "/a/..;/x/..", "/a/./b", "//evil.example/",
        "/a\\..\\b", "/%5c%2e%2e", "/a%00b", "/a%0d%0aX: y", "/%252e%252e/x", "/a?x=\r\nX: y",
        "/" + "a" * 3000, "", "@evil.example/",
    ],
)  # fmt: skip
def test_no_path_leads_elsewhere(path: str) -> None:

    with pytest.raises(web.HTTPException):
        safe_path(PREFIX + path, PREFIX)


def test_plain_paths_pass_as_they_came() -> None:
    assert safe_path(f"{PREFIX}/", PREFIX) == "/"
    assert safe_path(f"{PREFIX}/a%20b/c.js?d=e&f", PREFIX) == "/a%20b/c.js?d=e&f"
    assert moved("/\\evil", "/p") == ""


def test_a_body_passes_and_a_huge_one_does_not(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    path = f"/m/{place_of(machine.key)}/page/form"
    assert visitor.ask("POST", path, b"a=1")[0] == 200
    assert guest.asked[-1][3] == b"a=1"
    assert visitor.ask("POST", path, b"a=1", Origin="http://evil.example")[0] == 403
    guest.asked.clear()
    told = raw_answer(
        house,
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\nOrigin: {house.url}\r\n"
        f"Cookie: roomkeeper_door={visitor.cookies['roomkeeper_door']}\r\n"
        f"Content-Length: {BODY_LIMIT + 1}\r\n\r\n",
    )
    assert b" 413 " in told
    assert guest.asked == []


@pytest.mark.parametrize(
    "smuggled",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "X: a\nY: b\r\n\r\n",
        "X: a\0b\r\n\r\n",
        "X: " + "a" * 20000 + "\r\n\r\n",
    ],
)
def test_no_request_hides_another(house: House, guest: Guest, smuggled: str) -> None:
    machine = house.machine(guest.address)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    guest.asked.clear()
    told = raw_answer(
        house,
        f"POST /m/{place_of(machine.key)}/page/ HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\n"
        f"Cookie: roomkeeper_door={visitor.cookies['roomkeeper_door']}\r\n"
        f"Origin: {house.url}\r\n{smuggled}",
    )
    assert b" 400 " in told
    assert guest.asked == []
