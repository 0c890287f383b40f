"""`plugin install, rollback, list, logs` on a room's own folders."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli import main
from edge.contracts.base import Now
from edge.contracts.signals import PluginAnswered, PluginFailed, SourceChanged, encode_signal
from edge.journal import Journal, Row
from edge.plugins import archive
from edge.plugins.signature import keygen, secret_text
from tests.plugins.guests import ROOT, Maker, component

CONFIG = """
[room]
id = "alone"
[broker]
[site]
[calendar]
url = "http://127.0.0.1:1/none/"
[plugins]
folder = "{folder}"
keys = "{keys}"
enabled = ["guest"]
[policy]
file = "{root}/config/policies/room.cedar"
[intents]
file = "{root}/config/intents.toml"
[journal]
path = "room.journal"
[panel]
theme = "{root}/config/theme"
"""


class Desk:
    """A person with a shell and a room."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.maker = folder, Maker(folder)
        self.config = folder / "room.toml"
        (folder / "offered").mkdir()
        text = CONFIG.format(folder=folder / "offered", keys=self.maker.keys, root=ROOT)
        self.config.write_text(text)
        self.key = folder / "maker.key"
        self.key.write_text(secret_text(self.maker.key))

    def run(self, *arguments: object) -> Result:
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(main, ["plugin", *words, "--config", str(self.config)])

    def ok(self, *arguments: object) -> str:
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        return done.output

    def refused(self, *arguments: object) -> str:
        done = self.run(*arguments)
        assert done.exit_code == 1, done.output
        return done.output

    def source(self, version: str, **more: object) -> Path:
        return self.maker.write(self.folder / f"v{version}", version, **more)  # type: ignore[arg-type]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_who_installs_is_told_when_the_rooms_policy_permits_nothing_of_it(desk: Desk) -> None:
    said = desk.ok("install", desk.source("1.0.0"))
    assert "room.cedar names no permit for it" in said
    assert "plugin permit FOLDER" in said
    own = desk.folder / "own.cedar"
    text = desk.config.read_text()
    desk.config.write_text(text.replace(f"{ROOT}/config/policies/room.cedar", str(own)))
    own.write_text('// permit (principal == Plugin::"guest", action, resource);')
    assert "names no permit" in desk.ok("install", desk.source("1.1.0"))
    own.write_text('permit (principal == Plugin::"guest", action, resource);')
    assert "names no permit" not in desk.ok("install", desk.source("1.2.0"))


def test_install_list_and_go_back(desk: Desk) -> None:
    assert "not installed yet" in desk.ok("list")
    assert "installed guest 1.0.0, signed by" in desk.ok("install", desk.source("1.0.0"))
    assert "1.0.0 stays" in desk.ok("install", desk.source("1.1.0"))
    listed = desk.ok("list").splitlines()
    assert [line.split()[:3] for line in listed] == [
        ["guest", "1.1.0", "runs,"], ["guest", "1.0.0", "kept,"],
    ]  # fmt: skip
    assert "older than 1.1.0" in desk.refused("install", desk.source("1.0.0"))
    assert "allow-rollback guest 1.1.0 1.0.0" in desk.refused("rollback", "guest")
    file = desk.folder / "back"
    made = CliRunner().invoke(
        main,
        ["plugin", "allow-rollback", "guest", "1.1.0", "1.0.0", str(file), "--key", str(desk.key)],
    )
    assert made.exit_code == 0, made.output
    assert "statement is about guest, not other" in desk.refused(
        "rollback", "other", "--signed", file
    )
    assert "guest runs 1.0.0" in desk.ok("rollback", "guest", "--signed", file)
    assert "guest        1.0.0      runs" in desk.ok("list")


def test_go_back_with_the_key_at_hand(desk: Desk) -> None:
    desk.ok("install", desk.source("1.0.0"))
    desk.ok("install", desk.source("1.1.0"))
    other = desk.folder / "other.key"
    other.write_text(secret_text(keygen()))
    assert "not pinned" in desk.refused("rollback", "guest", "--key", other)
    assert "guest runs 1.0.0" in desk.ok("rollback", "guest", "--key", desk.key)
    assert "no version of guest is kept" in desk.refused("rollback", "guest", "--key", desk.key)


@pytest.mark.parametrize(
    ("wasm", "golden", "says"),
    [
        (component(body="(unreachable)"), True, "unreachable"),
        (component(), True, "answered otherwise"),
        (component(name="impostor"), False, "says it is"),
        (b"\0asm", False, "does not load"),
    ],
)
def test_what_fails_its_test_is_not_installed(
    desk: Desk, wasm: bytes, golden: bool, says: str
) -> None:
    given = {"events": [{"id": "e", "kind": "tick"}], "now": 1.0, "seed": 1}
    events = {"one": {"title": "t", "input": given, "output": {"state": "x"}}} if golden else {}
    assert says in desk.refused("install", desk.source("1.0.0", wasm=wasm, golden=events))
    assert "not installed yet" in desk.ok("list")


def test_a_module_that_was_changed_is_listed_as_refused(desk: Desk) -> None:
    desk.ok("install", desk.source("1.0.0"))
    (module,) = desk.folder.glob("room.plugins/versions/guest/1.0.0/*.wasm")
    module.write_bytes(b"\0asm")
    assert "refused: " in desk.refused("list")


def pack(folder: Path, kind: str, top: str = "") -> Path:
    file = folder.with_suffix(f".{kind}")
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path in folder.rglob("*"):
                zipped.write(path, f"{top}{path.relative_to(folder)}")
    else:
        with tarfile.open(file, "w:gz" if kind == "tar.gz" else "w") as tarred:
            for path in sorted(folder.iterdir()):
                tarred.add(path, f"{top}{path.name}")
    return file


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
@pytest.mark.parametrize("top", ["", "guest-1.0.0/", "./"])
def test_an_archive_installs_as_its_folder_does(desk: Desk, kind: str, top: str) -> None:
    if (kind, top) == ("zip", "./"):
        pytest.skip("zip files have no such names")
    assert "installed guest 1.0.0" in desk.ok("install", pack(desk.source("1.0.0"), kind, top))


def test_a_hostile_archive_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "TOTAL_LIMIT", 1 << 20)
    bomb = desk.folder / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("plugin.toml", bytes(2 << 20))
    assert "larger than" in desk.refused("install", bomb)
    many = desk.folder / "many.tar"
    with tarfile.open(many, "w") as tarred:
        for n in range(300):
            tarred.addfile(tarfile.TarInfo(f"f{n}"), io.BytesIO())
    assert "more than 256 files" in desk.refused("install", many)
    noise = desk.folder / "noise.tar.gz"
    for data in (b"", b"\x1f\x8b" + bytes(100), b"PK\x03\x04" + bytes(100), bytes(5000)):
        noise.write_bytes(data)
        assert "Error: " in desk.refused("install", noise)
    link = desk.folder / "link.tar"
    source = desk.source("1.0.0")
    with tarfile.open(link, "w") as tarred:
        for name in ("plugin.toml", "plugin.toml.minisig"):
            tarred.add(source / name, name)
        info = tarfile.TarInfo("guest.wasm")
        info.type, info.linkname = tarfile.SYMTYPE, str(source / "guest.wasm")
        tarred.addfile(info)
    assert "holds no guest.wasm" in desk.refused("install", link)


def test_an_archive_writes_nothing_outside(desk: Desk) -> None:
    source = desk.source("1.0.0")
    file = pack(source, "zip")
    with zipfile.ZipFile(file, "a") as zipped:
        zipped.writestr("golden/../../../../out.json", "{}")
        zipped.writestr("golden/../out.json", "{}")
    desk.ok("install", file)
    assert not list(desk.folder.rglob("out.json"))


def test_logs_are_what_the_journal_holds_of_one_plugin(desk: Desk) -> None:
    journal = Journal(desk.folder / "room.journal")
    journal.start()
    now = Now(1_763_712_000.0, 1.0, True)
    signals = (
        PluginAnswered("plugin:guest", ("e",), said=("info: dimmed",)),
        PluginAnswered("plugin:other", ("plugin:guest",), said=("info: not this",)),
        PluginFailed("plugin:guest", ("e",), "unreachable", said=("error: about to trap",)),
        PluginFailed("plugin:guest", ("e",), "again", quarantined=True),
        SourceChanged("plugin:guest", "ok", "runs 1.0.0: put back"),
    )
    rows = [
        Row("signal", f"alone-1-{n}", now, encode_signal(signal))
        for n, signal in enumerate(signals)
    ]
    journal.append(rows)
    journal.stop()
    said = [line.split("  ", 1)[1] for line in desk.ok("logs", "guest").splitlines()]
    assert said == [
        "info: dimmed", "error: about to trap", "failed: unreachable", "quarantined: again",
        "ok: runs 1.0.0: put back",
    ]  # fmt: skip
    assert desk.ok("logs", "guest", "--last", 1).endswith("ok: runs 1.0.0: put back\n")
    assert "holds nothing of lights" in desk.ok("logs", "lights")
    for last in (0, -1):
        refused = desk.run("logs", "guest", "--last", last)
        assert (refused.exit_code, "'--last'" in refused.output) == (2, True)


def test_a_folder_that_is_not_there_holds_no_plugins(desk: Desk) -> None:
    done = desk.run("list", desk.folder / "none")
    assert done.exit_code == 1
    assert f"{desk.folder / 'none'} is no folder" in done.output
    assert desk.run("list", desk.folder / "offered").exit_code == 0
    (desk.folder / "empty").mkdir()
    done = desk.run("list", desk.folder / "empty")
    assert (done.exit_code, done.output) == (0, f"no plugin in {desk.folder / 'empty'}\n")
