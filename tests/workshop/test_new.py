"""New plugins: what the folder holds, and one whole way from nothing into the sandbox."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from edge.contracts.plugin import PluginInput, PluginOutput
from edge.plugins.answer import read_answer
from edge.plugins.install import load_plugin
from edge.plugins.manifest import parse
from edge.plugins.sandbox import Sandbox
from edge.plugins.signature import load_keys
from edge.workshop.build import LANGUAGES, build_into
from edge.workshop.errors import WorkshopError
from edge.workshop.new import new
from tests.workshop.authors import TOOLS, call, needs
from tests.world.places import ROOT


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_a_new_folder_is_complete(tmp_path: Path, language: str) -> None:
    folder = new("desk-lamp", language, tmp_path)
    manifest = parse((folder / "plugin.toml").read_bytes(), "plugin.toml")
    assert (manifest.id, manifest.module) == ("desk-lamp", "desk-lamp.wasm")
    assert manifest.limits.instance == ("fresh" if language in ("c", "zig") else "reused")
    assert (folder / f"plugin{LANGUAGES[language][0]}").is_file()
    assert len(list((folder / "golden").glob("*.json"))) >= 3
    assert "desk-lamp.wasm" in (folder / "README.md").read_text()
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "package-lock.json":
            words = set(file.read_text().replace('"', " ").split())
            assert not words & {"NAME", "TITLE", "SOURCE", "LIMITS"}, file


@pytest.mark.parametrize("name", ["", "Lamp", "../lamp", "a b", "1st", "x" * 33, "lamp\n"])
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkshopError, match="no plugin name"):
        new(name, "c", tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    call("new", "lamp", "--into", tmp_path)
    (tmp_path / "lamp" / "plugin.c").write_text("mine")
    assert "exists" in call("new", "lamp", "--into", tmp_path, code=1)
    assert (tmp_path / "lamp" / "plugin.c").read_text() == "mine"


def test_the_lock_of_javascript_tools_names_no_address(tmp_path: Path) -> None:
    folder = new("lamp", "javascript", tmp_path)
    lock = json.loads((folder / "package-lock.json").read_text())
    packages = {name: row for name, row in lock["packages"].items() if name}
    assert packages
    assert all("integrity" in row and "resolved" not in row for row in packages.values())


@pytest.mark.slow
@pytest.mark.parametrize("language", list(LANGUAGES))
def test_from_nothing_into_the_sandbox(tmp_path: Path, language: str) -> None:
    needs(*TOOLS[language])
    folder = tmp_path / "lamp"
    call("new", "lamp", "--language", language, "--into", tmp_path)
    assert "sign it again" in call("build", folder)
    call("keygen", tmp_path / "site.key", tmp_path / "site.pub")
    call("sign", folder, "--key", tmp_path / "site.key")
    assert "is signed by" in call("verify", folder, "--keys", tmp_path)
    plugin = load_plugin(tmp_path, "lamp", load_keys(tmp_path), {})
    box = Sandbox()
    try:
        limits = msgspec.structs.replace(plugin.manifest.limits, deadline_ms=1000)
        guest = box.compile("lamp", plugin.wasm, limits)
        assert json.loads(guest.call("describe", None)) == {"id": "lamp", "schema": 1}
        for file in sorted((folder / "golden").glob("*.json")):
            golden = json.loads(file.read_bytes())
            given = msgspec.convert(golden["input"], PluginInput)
            text = guest.call("handle", json.dumps(golden["input"]))
            answer = read_answer(text, frozenset(event.id for event in given.events))
            assert answer == msgspec.convert(golden["output"], PluginOutput), file.name
        guest.close()
    finally:
        box.close()


@pytest.mark.slow
def test_what_the_compiler_says_reaches_the_author(tmp_path: Path) -> None:
    needs(*TOOLS["c"])
    folder = new("lamp", "c", tmp_path)
    before = (folder / "plugin.toml").read_bytes()
    source = folder / "plugin.c"
    source.write_text(source.read_text().replace("bool on =", "bool on ="[:-1]))
    said = call("build", folder, code=1)
    assert "plugin.c:" in said
    assert "error:" in said
    assert (folder / "plugin.toml").read_bytes() == before
    assert not list(folder.glob("*.wasm"))


@pytest.mark.slow
def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    needs(*TOOLS["zig"])
    one, other = (new("lamp", "zig", tmp_path / where) for where in ("here", "there"))
    build_into(one)
    build_into(other)
    assert (one / "lamp.wasm").read_bytes() == (other / "lamp.wasm").read_bytes()
    again = build_into(one)
    assert not again.changed


def test_a_folder_without_or_with_too_many_sources(tmp_path: Path) -> None:
    folder = new("lamp", "c", tmp_path)
    (folder / "other.zig").write_text("")
    assert "c and zig" in call("build", folder, code=1)
    (folder / "other.zig").unlink()
    (folder / "plugin.c").unlink()
    assert "no source" in call("build", folder, code=1)


def test_a_missing_compiler_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new("lamp", "c", tmp_path)
    monkeypatch.setattr("edge.workshop.toolchain.TREE", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = call("build", folder, code=1)
    assert "python-zig is not installed" in said
    assert "roomkeeper[plugin-dev]" in said


@pytest.mark.slow
def test_the_package_carries_what_a_plugin_is_made_from(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    installed = tmp_path / "site"
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(installed)
    code = (
        "from pathlib import Path; from edge.workshop.kit import kit, policy, TREE;"
        "from edge.workshop.new import new; assert TREE == Path('site').resolve();"
        "assert kit().name == 'kit'; assert 'permit' in policy();"
        "print([new(n, n, Path()) for n in ('c', 'zig', 'python', 'javascript')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(installed)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "javascript" / "package-lock.json").is_file()
    assert (tmp_path / "zig" / "golden" / "held.json").is_file()
    assert sorted(path.name for path in (installed / "edge/workshop/kit/sdk").iterdir()) == [
        "c", "javascript", "python", "zig",
    ]  # fmt: skip
