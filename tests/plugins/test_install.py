"""Nothing runs that a pinned key did not sign, byte for byte; every refusal says what to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.plugins.commands import plugin as plugin_group
from edge.plugins.errors import PluginError
from edge.plugins.install import load_plugins
from edge.plugins.manifest import parse, settings_for
from edge.plugins.signature import (
    keygen,
    parse_public,
    parse_secret,
    public_text,
    secret_text,
    sign,
    verify,
)
from tests.plugins.guests import KEYS, SHIPPED, component, install, manifest

WASM = component()


def load(folder: Path, name: str = "guest") -> None:
    load_plugins(folder / "plugins", folder / "keys", [name])


def test_shipped_plugins_are_signed_by_the_pinned_key() -> None:
    found = load_plugins(SHIPPED, KEYS, ["lights", "climate"], {"lights": {"hold_s": 5}})
    assert [p.id for p in found] == ["lights", "climate"]
    assert found[0].settings["hold_s"] == 5
    assert found[1].settings["comfort"] == 21.5


def test_signed_plugin_loads(tmp_path: Path) -> None:
    install(tmp_path, WASM)
    load(tmp_path)


def _tamper(home: Path, case: str) -> None:
    toml, sig, wasm = home / "plugin.toml", home / "plugin.toml.minisig", home / "guest.wasm"
    match case:
        case "module":
            wasm.write_bytes(WASM[:-1] + bytes([WASM[-1] ^ 1]))
        case "manifest":
            toml.write_text(toml.read_text().replace("100.0", "900.0"))
        case "unsigned":
            sig.unlink()
        case "cut signature":
            sig.write_text("\n".join(sig.read_text().splitlines()[:2]))
        case "garbage signature":
            sig.write_bytes(os.urandom(300))
        case "comment":
            sig.write_text(sig.read_text().replace("trusted comment: test", "trusted comment: tes"))
        case "wrong key":
            sig.write_text(sign(toml.read_bytes(), keygen(), "test"))
        case "no key pinned":
            (home.parents[1] / "keys" / "test.pub").unlink()
        case "link out":
            (home.parents[1] / "outside.wasm").write_bytes(WASM)
            wasm.unlink()
            wasm.symlink_to(home.parents[1] / "outside.wasm")
        case "missing module":
            wasm.unlink()


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("module", "install the plugin again"),
        ("manifest", "changed after signing"),
        ("unsigned", "is not signed"),
        ("cut signature", "cut short"),
        ("garbage signature", "cannot be read|minisign"),
        ("comment", "changed after signing|not a minisign"),
        ("wrong key", "not pinned"),
        ("no key pinned", "no \\*.pub key"),
        ("link out", "leads out of its folder"),
        ("missing module", "is it installed"),
    ],
)
def test_tampering_is_refused(tmp_path: Path, case: str, says: str) -> None:
    home = install(tmp_path, WASM)
    _tamper(home, case)
    with pytest.raises(PluginError, match=says):
        load(tmp_path)


def test_key_with_a_stolen_id_is_refused(tmp_path: Path) -> None:
    home = install(tmp_path, WASM)
    pinned = parse_public((tmp_path / "keys" / "test.pub").read_text(), "x")
    forged = keygen()
    forged = type(forged)(pinned.id, forged.seed)
    data = (home / "plugin.toml").read_bytes()
    (home / "plugin.toml.minisig").write_text(sign(data, forged, "test"))
    with pytest.raises(PluginError, match="does not match"):
        load(tmp_path)


def test_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    install(tmp_path, WASM)
    for name in ("../plugins/guest", "..", "/etc", "a/b"):
        with pytest.raises(PluginError, match="leads out"):
            load(tmp_path, name)


def test_folder_that_is_not_the_plugins_own_is_refused(tmp_path: Path) -> None:
    home = install(tmp_path, WASM)
    home.rename(home.parent / "other")
    with pytest.raises(PluginError, match="is of 'guest', not 'other'"):
        load(tmp_path, "other")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("state = 1", "state = 1\nroot = true", "unknown field `root`"),
        ('version = "1.2.3"', 'version = "new"', r"version.*it is 'new'"),
        ('module = "guest.wasm"', 'module = "../guest.wasm"', r"module.*it is '../guest.wasm'"),
        ("min = 1, max = 1", "min = 2, max = 3", "this room speaks 1"),
        ("max = 100.0", "max = 0.0", "either values or max above min"),
        ('["presence"]', '["door"]', r"events.*it is 'door'"),
        ('["log"]', '["net"]', r"capabilities.*it is 'net'"),
        ("state = 1", "state = [", "is not TOML"),
    ],
)
def test_manifest_errors_name_file_key_and_value(old: str, new: str, says: str) -> None:
    text = manifest("guest", WASM).replace(old, new)
    with pytest.raises(PluginError, match=says) as error:
        parse(text.encode(), "guest/plugin.toml")
    assert "guest/plugin.toml" in str(error.value)


def test_settings_outside_their_range_or_unknown_are_refused() -> None:
    found = load_plugins(SHIPPED, KEYS, ["lights"])[0].manifest
    for chosen, says in (
        ({"hold_s": -1}, "0 to 3600"),
        ({"hold_s": float("nan")}, "0 to 3600"),
        ({"hold_s": True}, "allowed is a number"),
        ({"holds": 1}, "no setting 'holds'"),
        ({"actuator": 3}, "allowed is a text"),
    ):
        with pytest.raises(PluginError, match=says):
            settings_for(found, chosen, "room.toml")  # type: ignore[arg-type]


def test_keys_round_trip_and_passwords_are_explained() -> None:
    key = keygen()
    assert parse_secret(secret_text(key), "k") == key
    assert parse_public(public_text(key.public), "k").raw == key.public.raw
    assert verify(b"x", sign(b"x", key, "c"), (key.public,), "s").id == key.id


@pytest.mark.skipif(not shutil.which("minisign"), reason="Debian's minisign is not installed")
def test_minisign_reads_ours_and_we_read_its(tmp_path: Path) -> None:
    key = keygen()
    (tmp_path / "k.key").write_text(secret_text(key))
    (tmp_path / "k.pub").write_text(public_text(key.public))
    (tmp_path / "data").write_bytes(b"some bytes")
    (tmp_path / "data.minisig").write_text(sign(b"some bytes", key, "said"))

    def minisign(*arguments: str) -> None:
        subprocess.run(["minisign", *arguments], cwd=tmp_path, check=True, input=b"", timeout=20)

    minisign("-V", "-p", "k.pub", "-m", "data")
    for legacy in ((), ("-l",)):
        minisign("-S", *legacy, "-s", "k.key", "-m", "data", "-t", "theirs")
        verify(b"some bytes", (tmp_path / "data.minisig").read_text(), (key.public,), "s")
        with pytest.raises(PluginError):
            verify(b"other", (tmp_path / "data.minisig").read_text(), (key.public,), "s")


def test_commands_make_keys_sign_and_verify(tmp_path: Path) -> None:
    home = install(tmp_path, WASM)
    run = CliRunner()
    secret, public = tmp_path / "new.key", tmp_path / "keys" / "new.pub"
    assert run.invoke(plugin_group, ["keygen", str(secret), str(public)]).exit_code == 0
    assert secret.stat().st_mode & 0o777 == 0o600
    assert run.invoke(plugin_group, ["keygen", str(secret), str(public)]).exit_code == 1
    assert run.invoke(plugin_group, ["sign", str(home), "--key", str(secret)]).exit_code == 0
    keys = ["--keys", str(tmp_path / "keys")]
    said = run.invoke(plugin_group, ["verify", str(home), *keys])
    assert said.exit_code == 0, said.output
    public.unlink()
    refused = run.invoke(plugin_group, ["verify", str(home), *keys])
    assert refused.exit_code == 1
    assert "not pinned" in refused.output
