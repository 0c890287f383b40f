"""The guests' door: one code, one machine, once; whatever is tried, nothing else is reached."""

import base64
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from cloud_bridge.door import DoorError
from cloud_bridge.door import server as door_server
from cloud_bridge.door.proxy import BODY_LIMIT, moved, safe_path
from cloud_bridge.door.site import Options, place_of
from cloud_bridge.store.door import WRONG_LIMIT
from edge.contracts import codes
from edge.process.web.brake import FREE
from tests.cloud_bridge.door_world import Guest, House, Visitor
from tests.world.waiting import until, within


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as opened:
        yield opened


@pytest.fixture
def guest() -> Iterator[Guest]:
    page = Guest("<h1>hello</h1>")
    yield page
    page.close()


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
    told = _raw(
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
    told = _raw(
        house,
        f"POST /m/{place_of(machine.key)}/page/ HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\n"
        f"Cookie: roomkeeper_door={visitor.cookies['roomkeeper_door']}\r\n"
        f"Origin: {house.url}\r\n{smuggled}",
    )
    assert b" 400 " in told
    assert guest.asked == []


def test_who_dawdles_is_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_server, "HEAD_S", 0.5)
    with closing(socket.create_connection(("127.0.0.1", house.port), 20)) as slow:
        try:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            assert slow.recv(100) == b""
        except ConnectionError:  # let go before it had begun
            return


def test_a_door_that_does_not_come_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_server, "START_S", 0.05)
    free = threading.Event()

    def make() -> web.Application:
        free.wait(60)
        return web.Application()

    server = door_server.DoorServer("127.0.0.1", 0, make)
    try:
        with pytest.raises(DoorError, match=r"not up within 0\.05 s"):
            server.start()
    finally:
        free.set()
        server.stop()


def test_many_that_hang_shut_out_nobody_for_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_server, "HEAD_S", 1.0)
    monkeypatch.setattr(door_server, "CONNECTIONS", 20)
    hanging = [socket.create_connection(("127.0.0.1", house.port), 20) for _ in range(40)]
    try:
        until(lambda: _answers(house), what="somebody is let in again")
    finally:
        for each in hanging:
            each.close()


def _answers(house: House) -> bool:
    try:
        return Visitor(house).ask("GET", "/")[0] == 200
    except OSError:
        return False


def _raw(house: House, text: str) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", house.port), 20)) as raw:
        raw.sendall(text.encode())
        found = b""
        while b"\r\n\r\n" not in found and (part := raw.recv(4096)):
            found += part
        return found


# Screens.


class Vnc:
    """A unix socket that says it is a screen, and repeats what it hears."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self.path = str(path)
        self.gone = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            while True:
                one, _ = self._socket.accept()
                one.sendall(b"RFB 003.008\n")
                while part := one.recv(4096):
                    one.sendall(part)
                self.gone.set()
        except OSError:
            return

    def close(self) -> None:
        self._socket.close()


def _join(house: House, visitor: Visitor, path: str, **headers: str) -> tuple[socket.socket, bytes]:
    key = base64.b64encode(os.urandom(16)).decode()
    sent = {
        "Host": f"127.0.0.1:{house.port}", "Origin": house.url, "Upgrade": "websocket",
        "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
        "Cookie": "; ".join(f"{n}={v}" for n, v in visitor.cookies.items()),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    raw = socket.create_connection(("127.0.0.1", house.port), 20)
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    raw.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    found = b""
    while b"\r\n\r\n" not in found and (part := raw.recv(1)):
        found += part
    return raw, found


def _frame(raw: socket.socket) -> bytes:
    first, size = raw.recv(1), raw.recv(1)
    return b"" if not first else raw.recv(size[0] & 127)


def test_a_screen_is_the_machines_own_and_ends_with_it(house: House, tmp_path: Path) -> None:
    vnc = Vnc(tmp_path / "vnc")
    machine = house.machine(screen=vnc.path)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    raw, head = _join(house, visitor, f"/m/{place_of(machine.key)}/vnc")
    with closing(raw):
        assert b" 101 " in head
        assert _frame(raw) == b"RFB 003.008\n"
        raw.sendall(b"\x82\x83\0\0\0\0abc")
        assert _frame(raw) == b"abc"
        with within(15):
            house.end(machine)
            while _frame(raw):
                continue
        assert vnc.gone.wait(5)
    vnc.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": ""}, 403),
        ({"Cookie": "roomkeeper_door=" + "0" * 64}, 302),
        ({"Cookie": ""}, 302),
        ({"Host": "evil.example"}, 421),
    ],
)
def test_nobody_else_joins_a_screen(
    house: House, tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    vnc = Vnc(tmp_path / "vnc")
    machine = house.machine(screen=vnc.path)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    raw, head = _join(house, visitor, f"/m/{place_of(machine.key)}/vnc", **headers)
    raw.close()
    assert f" {status} ".encode() in head
    vnc.close()


@pytest.mark.parametrize(
    "more",
    ["?host=127.0.0.1&port=22", "/127.0.0.1:22", "?path=/run/libvirt/libvirt-sock", "?token=x"],
)
def test_a_websocket_reaches_no_other_host(house: House, tmp_path: Path, more: str) -> None:
    vnc = Vnc(tmp_path / "vnc")
    machine = house.machine(screen=vnc.path)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    raw, head = _join(house, visitor, f"/m/{place_of(machine.key)}/vnc{more}")
    with closing(raw):
        # Either there is no such address, or what is asked besides is not looked at.
        assert b" 404 " in head or _frame(raw) == b"RFB 003.008\n"
    vnc.close()


def test_a_machine_without_a_screen_has_none(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    for path in ("vnc", "screen"):
        assert visitor.ask("GET", f"/m/{place_of(machine.key)}/{path}")[0] == 404


def test_behind_tls_cookies_keep_to_it(tmp_path: Path, guest: Guest) -> None:
    with House(tmp_path, Options(tls=True)) as house:
        machine = house.machine(guest.address)
        visitor = Visitor(house)
        status, headers, _ = visitor.enter(house.code(machine))
        assert status == 303
        assert "Secure" in headers["Set-Cookie"]
        assert "__Host-roomkeeper_door" in visitor.cookies
