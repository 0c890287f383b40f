import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge.process.dav import Dav, DavAccount, DavConflictError, DavError
from tests.world.ics import calendar, event
from tests.world.servers import Radicale

FILE = calendar(event("a", 1_790_000_000, 1_790_003_600, "SUMMARY:Größe & <b>"))


def test_names_with_spaces_and_signs_are_listed_fetched_and_written():
    with Radicale() as server:
        server.put("a%20b%26c", FILE)
        dav = Dav(DavAccount(server.url, server.user, server.password))
        (href,) = dav.entries()
        assert href == f"{server.path}a b&c.ics"
        (document,) = dav.fetch([href])
        assert "Größe & <b>" in document.data.decode()
        single = dav.get(href)
        assert single is not None
        assert single.etag == document.etag
        before = dav.tag()
        dav.put(href, single.data.replace(b"Gr", b"gr"), if_match=single.etag)
        assert dav.tag() != before
        with pytest.raises(DavConflictError):
            dav.put(href, single.data, if_match=single.etag)
        with pytest.raises(DavConflictError):
            dav.put(href, single.data)
        assert dav.get(f"{server.path}nobody.ics") is None
        with pytest.raises(DavError, match="404"):
            Dav(DavAccount(server.url + "other/", server.user, server.password)).entries()
        dav.close()


@pytest.mark.parametrize("url", ["", "calendar", "file:///etc/passwd", "http://"])
def test_an_address_that_is_none_is_refused(url: str):
    with pytest.raises(DavError, match="needs http"):
        Dav(DavAccount(url))


def test_the_password_is_in_no_text():
    assert "secret" not in repr(DavAccount("http://e.org/", "room", "secret"))


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Sends whoever asks to another place, or lists a file on another host."""

    asked: list[str] = []  # noqa: RUF012
    who: list[str | None] = []  # noqa: RUF012

    def log_message(self, *_: object) -> None:
        return

    def do_PROPFIND(self) -> None:
        self.asked.append(self.path)
        self.who.append(self.headers["Authorization"])
        if self.path == "/moved/":
            self.send_response(302)
            self.send_header("Location", "/secret/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = (
            b'<multistatus xmlns="DAV:"><response><href>http://127.0.0.1:1/evil.ics</href><propstat>'
            b'<prop><getetag>"1"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat>'
            b"</response></multistatus>"
        )
        self.send_response(207)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def elsewhere() -> Iterator[str]:
    Elsewhere.asked.clear()
    Elsewhere.who.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_a_redirect_is_not_followed_with_the_rooms_password():
    with elsewhere() as origin, pytest.raises(DavError, match="302"):
        Dav(DavAccount(f"{origin}/moved/", "room", "x")).entries()
    assert Elsewhere.asked == ["/moved/"]


@pytest.mark.parametrize(
    ("username", "password", "sent"),
    [
        ("room", "x", "Basic " + base64.b64encode(b"room:x").decode()),
        ("room", "", "Basic " + base64.b64encode(b"room:").decode()),
        ("", "x", None),
        ("", "", None),
    ],
)
def test_who_asks_is_told_with_or_without_a_password(username, password, sent):
    with elsewhere() as origin:
        Dav(DavAccount(f"{origin}/c/", username, password)).entries()
    assert Elsewhere.who == [sent]


def test_a_listed_file_is_asked_of_the_calendars_own_host():
    with elsewhere() as origin:
        dav = Dav(DavAccount(f"{origin}/c/", "room", "x"))
        (href,) = dav.entries()
        assert dav.get(href) is None
    assert Elsewhere.asked == ["/c/", "/evil.ics"]
