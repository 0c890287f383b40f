"""The compile cache: a forged, cut or foreign entry is never loaded, but deleted and made anew."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge.plugins import cache as plugin_cache
from edge.plugins.cache import CompileCache
from edge.plugins.errors import PluginError
from edge.plugins.private import KEY, PrivateFolder
from edge.plugins.sandbox import Sandbox
from tests.plugins.guests import component, guest

PLUGIN = guest(component(answer='{"commands":[],"state":"good"}'))
OTHER = guest(component(answer='{"commands":[],"state":"evil"}'))


@pytest.fixture
def box() -> Iterator[Sandbox]:
    box = Sandbox()
    yield box
    box.close()


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was handed to Wasmtime as machine code."""
    seen: list[bytes] = []
    load = Sandbox.load

    def noted(self: Sandbox, name: str, compiled: bytes, *more: object) -> object:
        seen.append(compiled)
        return load(self, name, compiled, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Sandbox, "load", noted)
    return seen


def entry(folder: Path) -> Path:
    return folder / f"{PLUGIN.manifest.sha256}.compiled"


def test_second_load_needs_no_compiler(
    tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    cache = CompileCache(PrivateFolder(folder))
    cache.guest(box, PLUGIN)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    monkeypatch.setattr(Sandbox, "compile", None)
    again = CompileCache(PrivateFolder(folder)).guest(box, PLUGIN)
    assert "good" in again.call("handle", "{}")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def another_plugins(path: Path) -> None:
    """An entry this device sealed itself, but for another module."""
    path.write_bytes((path.parent / f"{OTHER.manifest.sha256}.compiled").read_bytes())


def sealed_elsewhere(path: Path) -> None:
    """Well formed, but with the key of another device."""
    elsewhere = path.parent.parent / "elsewhere"
    box = Sandbox()
    CompileCache(PrivateFolder(elsewhere)).guest(box, PLUGIN)
    box.close()
    path.write_bytes((elsewhere / path.name).read_bytes())


def writable(path: Path) -> None:
    path.chmod(0o622)


def a_link(path: Path) -> None:
    real = path.rename(path.with_name("real"))
    path.symlink_to(real)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def owned_by_another(path: Path) -> None:
    os.chown(path, 65534, 65534)


def key_that_others_read(path: Path) -> None:
    (path.parent / KEY).chmod(0o644)


def key_of_another(path: Path) -> None:
    (path.parent / KEY).write_bytes(bytes(32))


DAMAGE = [
    cut, emptied, flipped, another_plugins, sealed_elsewhere, writable, a_link, a_pipe,
    key_that_others_read, key_of_another,
    pytest.param(owned_by_another, marks=pytest.mark.skipif(os.geteuid() != 0, reason="not root")),
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_entry_that_is_not_this_devices_is_deleted_and_compiled_anew(
    tmp_path: Path, box: Sandbox, loaded: list[bytes], damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "cache"
    cache = CompileCache(PrivateFolder(folder))
    cache.guest(box, PLUGIN)
    cache.guest(box, OTHER)
    damage(entry(folder))
    with capture_logs() as said:
        made = CompileCache(PrivateFolder(folder)).guest(box, PLUGIN)
    assert loaded == []
    assert "good" in made.call("handle", "{}")
    assert said[0]["event"] == "compile cache entry refused"
    assert said[0]["reason"]
    # The new entry serves.
    CompileCache(PrivateFolder(folder)).guest(box, PLUGIN)
    assert len(loaded) == 1


def test_entry_of_another_wasmtime_is_made_anew(
    tmp_path: Path, box: Sandbox, loaded: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CompileCache(PrivateFolder(tmp_path / "cache"))
    with monkeypatch.context() as older:
        older.setattr(plugin_cache, "version", lambda _name: "49.0.0")
        cache.guest(box, PLUGIN)
    assert "good" in cache.guest(box, PLUGIN).call("handle", "{}")
    assert loaded == []


def test_code_that_wasmtime_itself_refuses_is_made_anew(
    tmp_path: Path, box: Sandbox, loaded: list[bytes]
) -> None:
    folder = PrivateFolder(tmp_path / "cache")
    cache = CompileCache(folder)
    folder.write(entry(folder.path).name, plugin_cache._label(PLUGIN), b"no machine code")
    assert "good" in cache.guest(box, PLUGIN).call("handle", "{}")
    assert loaded == [b"no machine code"]
    cache.guest(box, PLUGIN)
    assert len(loaded[1]) > 1000


def test_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    with pytest.raises(PluginError, match=r"open to others.*chmod 700"):
        PrivateFolder(folder)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PluginError, match="not a folder of this user"):
        PrivateFolder(tmp_path / "link")


def test_only_the_newest_entries_stay(
    tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin_cache, "ENTRIES", 2)
    cache = CompileCache(PrivateFolder(tmp_path / "cache"))
    for answer in "abc":
        cache.guest(box, guest(component(answer=answer)))
    assert len(list((tmp_path / "cache").glob("*.compiled"))) == 2


def test_a_disk_that_is_full_costs_the_entry_and_no_more(
    tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    cache = CompileCache(PrivateFolder(tmp_path / "cache"))
    monkeypatch.setattr(PrivateFolder, "write", full)
    assert "good" in cache.guest(box, PLUGIN).call("handle", "{}")
