"""A new version in a running room: tested, taken, put back when it fails, always said why."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.contracts.signals import PluginAnswered, PluginFailed, Signal, SourceChanged
from edge.plugins import host as plugin_host
from edge.plugins.cache import CompileCache
from edge.plugins.host import PluginCall, PluginHost
from edge.plugins.install import InstalledPlugin
from edge.plugins.private import PrivateFolder
from tests.plugins.guests import Posted, component, event
from tests.plugins.site import Site
from tests.world.waiting import until


def answering(state: str) -> bytes:
    return component(answer=json.dumps({"commands": [], "state": state}))


TRAP = component(body="(unreachable)")


def golden(state: str) -> dict[str, object]:
    return {
        "one": {
            "title": "says who it is",
            "input": {"events": [{"id": "e", "kind": "presence"}], "now": 1.0, "seed": 1},
            "output": {"state": state},
        }
    }


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class Room:
    def __init__(self, site: Site) -> None:
        self.posted, self.took_over = Posted(), list[InstalledPlugin]()
        shelf = site.shelf
        self.host = PluginHost(
            [shelf.pick("guest").plugin] if site.offered.exists() else [],
            self.posted,
            enabled=("guest",),
            cache=CompileCache(PrivateFolder(site.folder / "store/compiled")),
            shelf=shelf,
            changing=self.took_over.append,
        )

    def ask(self) -> PluginAnswered | PluginFailed:
        """Return what it answers to one event; other news in between is an error."""
        self.host.submit(PluginCall("guest", (event(),), 1e9, 1))
        (found,) = self.posted.take(1)
        assert isinstance(found, PluginAnswered | PluginFailed), found
        return found

    def news(self) -> SourceChanged:
        (found,) = self.posted.take(1)
        assert isinstance(found, SourceChanged), found
        return found


@contextmanager
def running(site: Site) -> Iterator[Room]:
    room = Room(site)
    room.host.start()
    try:
        yield room
    finally:
        room.host.stop()


def replace(path: Path, text: str) -> None:
    """At once: a room that looks meanwhile would say what it found half written."""
    part = path.parents[2] / "part"
    part.write_text(text)
    part.rename(path)


def state_of(signal: Signal) -> str:
    assert isinstance(signal, PluginAnswered), signal
    return signal.state


def test_a_new_version_takes_over_in_a_running_room(site: Site) -> None:
    site.offer("1.0.0", golden=golden("1.0.0"))
    with running(site) as room:
        assert state_of(room.ask()) == "1.0.0"
        site.offer("1.1.0", golden=golden("1.1.0"))
        news = room.news()
        assert (news.health, news.reason) == ("ok", "runs 1.1.0: installed")
        assert state_of(room.ask()) == "1.1.0"
        assert [plugin.version for plugin in room.took_over] == ["1.1.0"]
    assert site.row.previous == "1.0.0"


def test_a_version_that_fails_its_own_golden_events_is_held(site: Site) -> None:
    site.offer("1.0.0")
    with running(site) as room:
        site.offer("1.1.0", golden=golden("something else"))
        news = room.news()
        assert news.health == "degraded"
        assert "golden/one.json (says who it is) is answered otherwise" in news.reason
        assert state_of(room.ask()) == "1.0.0"
        until(lambda: site.row.current == "1.0.0")
    assert "answered otherwise" in site.row.held["1.1.0"]
    assert site.shelf.pick("guest").plugin.version == "1.0.0"


@pytest.mark.parametrize(
    ("wasm", "says"),
    [
        (TRAP, "unreachable"),
        (component(name="impostor"), "says it is"),
        (component(extra='(import "wasi:cli/exit@0.2.0" (instance))'), "imports wasi:cli/exit"),
        (component(body="(loop $l (br $l))"), "ran over its deadline"),
    ],
)
def test_a_version_that_cannot_run_never_takes_over(site: Site, wasm: bytes, says: str) -> None:
    site.offer("1.0.0")
    with running(site) as room:
        site.offer("1.1.0", wasm=wasm, golden=golden("1.1.0"))
        news = room.news()
        assert news.health == "degraded", news
        assert says in news.reason
        assert state_of(room.ask()) == "1.0.0"


def test_what_may_not_be_installed_is_told_and_told_to_be_gone(site: Site) -> None:
    site.offer("1.0.0")
    with running(site) as room:
        signature = site.offered / "guest/plugin.toml.minisig"
        kept = signature.read_text()
        replace(signature, kept.replace("trusted comment: test", "trusted comment: text"))
        assert "does not match" in room.news().reason
        replace(signature, kept)
        assert room.news().health == "ok"
        assert state_of(room.ask()) == "1.0.0"


def test_three_failures_put_the_version_before_back_and_it_stays_so(site: Site) -> None:
    site.offer("1.0.0")
    site.shelf.pick("guest")
    site.offer("1.1.0", wasm=TRAP)
    with running(site) as room:
        failed = [room.ask() for _ in range(3)]
        assert [f.quarantined for f in failed if isinstance(f, PluginFailed)] == [
            False, False, True,
        ]  # fmt: skip
        news = room.news()
        assert news.health == "ok"
        assert news.reason.startswith("runs 1.0.0: put back for 1.1.0, which failed: 3 failures in")
        told = room.news()
        assert told.health == "degraded"
        assert told.reason.startswith("1.1.0 is not taken: 3 failures in 60 s")
        assert state_of(room.ask()) == "1.0.0"
    assert site.shelf.pick("guest").plugin.version == "1.0.0"


def test_when_the_version_before_fails_too_it_stays_quarantined(site: Site) -> None:
    site.offer("1.0.0", wasm=TRAP)
    site.shelf.pick("guest")
    site.offer("1.1.0", wasm=TRAP)
    with running(site) as room:
        for _ in range(3):
            room.ask()
        assert "put back" in room.news().reason
        assert room.news().health == "degraded"
        assert isinstance(room.ask(), PluginFailed)
        room.ask()
        third, fourth = room.ask(), room.ask()
        assert isinstance(third, PluginFailed)
        assert isinstance(fourth, PluginFailed)
        assert third.quarantined
        assert "quarantined" in fourth.reason


def test_kept_state_goes_to_the_new_version_only_when_it_speaks_of_the_same(site: Site) -> None:
    site.offer("1.0.0", state=1)
    with running(site) as room:
        assert room.ask().events
        site.offer("1.1.0", state=1)
        room.news()
        assert room.host._runners["guest"].state == "1.0.0"
        room.ask()
        site.offer("1.2.0", state=2)
        room.news()
        assert room.host._runners["guest"].state == ""
        answer = room.ask()
        assert isinstance(answer, PluginAnswered)
        assert answer.state_version == 2
        room.host.restore("guest", "old", 1)
        assert room.host._runners["guest"].state == "1.2.0"
        room.host.restore("guest", "new", 2)
        assert room.host._runners["guest"].state == "new"


def test_a_plugin_that_was_missing_runs_once_it_is_there(site: Site) -> None:
    with running(site) as room:
        assert room.news().health == "degraded"
        site.offer("1.0.0")
        while room.news().reason != "runs 1.0.0: installed":
            continue
        assert [plugin.version for plugin in room.took_over] == ["1.0.0"]
        assert state_of(room.ask()) == "1.0.0"


def test_a_large_module_is_compiled_while_others_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin_host, "LARGE", 0)
    site.offer("1.0.0")
    with running(site) as room:
        # Asked before it is loaded: the event waits for it.
        room.host.submit(PluginCall("guest", (event(),), 1e9, 1))
        first, second = room.posted.take(2)
        assert isinstance(first, SourceChanged)
        assert first.reason == "runs 1.0.0: compiled"
        assert state_of(second) == "1.0.0"


def test_a_large_module_that_does_not_load_is_quarantined(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin_host, "LARGE", 0)
    site.offer("1.0.0", wasm=component(name="impostor"))
    with running(site) as room:
        room.host.submit(PluginCall("guest", (event(),), 1e9, 1))
        found = room.posted.take(2)
    assert all(isinstance(signal, PluginFailed) for signal in found), found
