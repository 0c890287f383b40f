"""Versions: never lower unless a pinned key says so, whole after a crash at any point."""

from pathlib import Path

import pytest

from edge.plugins import versions as plugin_versions
from edge.plugins.errors import PluginError
from edge.plugins.private import KEY
from edge.plugins.signature import keygen
from edge.plugins.versions import MEMORY
from tests.plugins.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_last_two_versions_stay(site: Site) -> None:
    row = site.install("1.0.0", "1.9.0", "1.10.0")
    assert (row.current, row.previous, row.highest) == ("1.10.0", "1.9.0", "1.10.0")
    assert site.kept() == {"1.10.0", "1.9.0"}
    assert site.shelf.pick("guest").plugin.version == "1.10.0"


def test_no_downgrade_and_no_other_bytes_under_the_same_version(site: Site) -> None:
    site.install("1.0.0", "1.1.0")
    with pytest.raises(PluginError, match=r"1\.0\.0 is older than 1\.1\.0.*signed by a pinned key"):
        site.install("1.0.0")
    with pytest.raises(PluginError, match="a version's bytes never change"):
        site.versions.install(site.made("1.1.0", state=2))
    site.install("1.1.0")
    assert site.row.current == "1.1.0"


def test_the_memory_survives_the_loss_of_every_module(site: Site) -> None:
    site.install("1.0.0", "2.0.0")
    (site.folder / "store/versions/guest/2.0.0/guest.wasm").unlink()
    with pytest.raises(PluginError, match="older than"):
        site.install("1.0.0")


@pytest.mark.parametrize("damage", ["forged", "cut", "gone", "key"])
def test_a_damaged_memory_is_made_anew_from_what_is_signed(site: Site, damage: str) -> None:
    site.install("1.0.0", "2.0.0")
    memory = site.folder / "store" / MEMORY
    match damage:
        case "forged":
            memory.write_bytes(memory.read_bytes().replace(b"2.0.0", b"0.0.1"))
        case "cut":
            memory.write_bytes(memory.read_bytes()[:20])
        case "gone":
            memory.unlink()
        case "key":
            (memory.parent / KEY).unlink()
    assert (site.row.current, site.row.highest) == ("2.0.0", "2.0.0")
    with pytest.raises(PluginError, match="older than"):
        site.install("1.5.0")


def test_a_signed_statement_goes_back_once(site: Site) -> None:
    site.install("1.0.0", "2.0.0")
    file = site.going_back("2.0.0", "1.0.0")
    row = site.rollback(file)
    assert (row.current, row.highest, row.previous) == ("1.0.0", "2.0.0", "")
    site.offer("2.0.0")
    assert site.shelf.pick("guest").plugin.version == "1.0.0"
    site.install("3.0.0")
    with pytest.raises(PluginError, match=r"about guest 2\.0\.0; the highest .* is 3\.0\.0"):
        site.rollback(file)


def test_a_version_rolled_back_may_be_installed_again(site: Site) -> None:
    site.install("1.0.0", "2.0.0")
    site.rollback(site.going_back("2.0.0", "1.0.0"))
    assert site.install("2.0.0").previous == "1.0.0"


def test_a_statement_by_another_key_or_changed_or_of_nothing_kept_is_refused(site: Site) -> None:
    site.install("1.0.0", "2.0.0", "3.0.0")
    with pytest.raises(PluginError, match="not pinned"):
        site.rollback(site.going_back("3.0.0", "2.0.0", keygen()))
    file = site.going_back("3.0.0", "2.0.0")
    file.write_text(file.read_text().replace("2.0.0", "1.0.0"))
    with pytest.raises(PluginError, match="changed after signing"):
        site.rollback(file)
    with pytest.raises(PluginError, match=r"1\.0\.0/plugin.toml cannot be read"):
        site.rollback(site.going_back("3.0.0", "1.0.0"))
    assert site.row.current == "3.0.0"


def test_what_fails_is_held_and_what_ran_before_comes_back(site: Site) -> None:
    site.install("1.0.0", "2.0.0")
    before = site.shelf.put_back("guest", "2.0.0", "three failures")
    assert before is not None
    assert before.version == "1.0.0"
    assert site.row.held == {"2.0.0": "three failures"}
    picked = site.shelf.pick("guest")
    assert picked.plugin.version == "1.0.0"
    assert "2.0.0 is not taken: three failures" in picked.note
    assert site.shelf.put_back("guest", "1.0.0", "it fails too") is None
    assert site.install("2.0.0").held == {}


def test_what_is_offered_in_a_higher_version_is_installed_by_itself(site: Site) -> None:
    site.offer("1.0.0")
    assert site.shelf.pick("guest").plugin.version == "1.0.0"
    stamp = site.shelf.stamp("guest")
    site.offer("1.1.0")
    assert site.shelf.stamp("guest") != stamp
    assert site.shelf.pick("guest").plugin.version == "1.1.0"
    assert site.row.previous == "1.0.0"
    site.offer("1.0.5")
    assert site.shelf.pick("guest").plugin.version == "1.1.0"
    site.offer("1.1.0", state=2)
    picked = site.shelf.pick("guest")
    assert (picked.plugin.manifest.state, "never change" in picked.note) == (1, True)


def test_what_is_offered_and_unsigned_leaves_the_installed_running(site: Site) -> None:
    site.offer("1.0.0")
    site.shelf.pick("guest")
    (site.offered / "guest/plugin.toml.minisig").unlink()
    picked = site.shelf.pick("guest")
    assert picked.plugin.version == "1.0.0"
    assert "not signed" in picked.note


def test_an_installed_module_that_was_changed_is_not_run(site: Site) -> None:
    site.install("1.0.0", "2.0.0")
    (site.folder / "store/versions/guest/2.0.0/guest.wasm").write_bytes(b"\0asm something else")
    picked = site.shelf.pick("guest")
    assert picked.plugin.version == "1.0.0"
    assert "has sha256" in picked.note
    (site.folder / "store/versions/guest/1.0.0/guest.wasm").write_bytes(b"\0asm something else")
    with pytest.raises(PluginError, match="has sha256"):
        site.shelf.pick("guest")


def test_a_key_that_is_no_longer_pinned_stops_what_it_signed(site: Site) -> None:
    site.install("1.0.0")
    (site.maker.keys / "maker.pub").unlink()
    with pytest.raises(PluginError, match="without a pinned key no plugin can run"):
        site.shelf.pick("guest")


class Crash(BaseException):
    """The power is cut."""


@pytest.mark.parametrize("after", range(12))
def test_a_crash_at_any_point_leaves_the_old_version_or_the_new(
    site: Site, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    site.install("1.0.0", "2.0.0")
    plugin = site.made("3.0.0")
    versions, left = site.versions, [after]

    def cut(*_: object, **__: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    with monkeypatch.context() as patched:
        for owner, name in (
            (Path, "rename"), (Path, "replace"), (Path, "mkdir"), (Path, "open"),
            (plugin_versions.os, "fsync"), (plugin_versions.shutil, "rmtree"),
        ):  # fmt: skip
            real = getattr(owner, name)

            def step(*args: object, real: object = real, **more: object) -> object:
                cut()
                return real(*args, **more)  # type: ignore[operator]

            patched.setattr(owner, name, step)
        try:
            versions.install(plugin)
            ended = True
        except Crash:
            ended = False
    row = site.row
    assert row.current in ("2.0.0", "3.0.0")
    assert row.highest == row.current
    assert ended <= (row.current == "3.0.0")
    assert site.shelf.pick("guest").plugin.version == row.current
    # And it goes on from there.
    assert site.install("3.0.0").current == "3.0.0"
    assert site.kept() == {"3.0.0", "2.0.0"}
    assert site.shelf.pick("guest").plugin.version == "3.0.0"
