"""Small guests written in WebAssembly text, and the folders and posts a test needs around them."""

import hashlib
import json
import queue
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import wasmtime

from edge.contracts.plugin import PluginEvent
from edge.contracts.signals import Signal
from edge.plugins.install import InstalledPlugin, load_plugins
from edge.plugins.manifest import parse
from edge.plugins.signature import SecretKey, keygen, public_text, sign

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "wasm_modules"
KEYS = ROOT / "config" / "keys"

GUEST = r"""
(component
  (import "log" (func $log (param "level" string) (param "message" string)))
  EXTRA
  (core module $libc
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $top))
      (global.set $top (i32.add (global.get $top) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (core func $log_core (canon lower (func $log)
    (memory (core memory $libc "memory")) string-encoding=utf8))
  (core module $main
    (import "libc" "memory" (memory 2))
    (import "host" "log" (func $log (param i32 i32 i32 i32)))
    (data (i32.const 8) "DESCRIBE")
    (data (i32.const 1024) "ANSWER")
    (func $text (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0))
      (i32.store (i32.const 4) (local.get 1))
      (i32.const 0))
    (func (export "describe") (result i32)
      DESCRIBING
      (call $text (i32.const 8) (i32.const DESCRIBE_LEN)))
    (func $answer (result i32)
      (call $text (i32.const 1024) (i32.const ANSWER_LEN)))
    FUNCTIONS
    (func (export "handle") (param i32 i32) (result i32)
      BODY
      (call $answer)))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance (export "log" (func $log_core))))))
  (func (export "describe") (result string)
    (canon lift (core func $main "describe")
      (memory (core memory $libc "memory")) string-encoding=utf8))
  (func (export "handle") (param "input" string) (result string)
    (canon lift (core func $main "handle") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")) string-encoding=utf8)))
"""


def component(
    *, body: str = "", functions: str = "", extra: str = "", answer: str = '{"commands":[]}',
    name: str = "guest", describing: str = "",
) -> bytes:  # fmt: skip
    """Return a component that runs `body` and then answers `answer`.

    describing: what it runs before it says who it is.
    """
    describe = json.dumps({"id": name, "schema": 1})
    parts = {
        "DESCRIBE_LEN": str(len(describe)), "ANSWER_LEN": str(len(answer.encode())),
        "DESCRIBING": describing,
        "DESCRIBE": _escaped(describe), "ANSWER": _escaped(answer),
        "FUNCTIONS": functions, "EXTRA": extra, "BODY": body,
    }  # fmt: skip
    text = GUEST
    for hole, value in parts.items():
        text = text.replace(hole, value)
    return bytes(wasmtime.wat2wasm(text))


def _escaped(text: str) -> str:
    return "".join(f"\\{byte:02x}" for byte in text.encode())


def manifest(name: str, wasm: bytes, *, more: str = "", capabilities: str = '["log"]') -> str:
    digest = hashlib.sha256(wasm).hexdigest()
    return f"""
id = "{name}"
version = "1.2.3"
title = "A guest"
module = "guest.wasm"
sha256 = "{digest}"
state = 1
capabilities = {capabilities}
events = ["presence"]
abi = {{ min = 1, max = 1 }}
actuators = [{{ name = "light.*", min = 0.0, max = 100.0 }}]
{more}
"""


@dataclass
class Maker:
    """A plugin author with a pinned key: writes signed plugin folders, one per version."""

    folder: Path
    key: SecretKey = field(default_factory=keygen)

    def __post_init__(self) -> None:
        self.keys.mkdir(parents=True, exist_ok=True)
        (self.keys / "maker.pub").write_text(public_text(self.key.public))

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def write(
        self, home: Path, version: str = "1.0.0", wasm: bytes | None = None, *, state: int = 1,
        more: str = "", golden: dict[str, object] | None = None, key: SecretKey | None = None,
        name: str = "guest", events: tuple[str, ...] = ("presence",),
    ) -> Path:  # fmt: skip
        """Write a plugin; whatever was in `home` goes. It answers its version as its state."""
        wasm = wasm or component(answer=json.dumps({"commands": [], "state": version}), name=name)
        text = manifest(name, wasm, more=more).replace("1.2.3", version)
        text = text.replace('["presence"]', json.dumps(events))
        data = text.replace("state = 1", f"state = {state}").encode()
        new = home.with_name(f".{home.name}")
        (new / "golden").mkdir(parents=True)
        (new / "guest.wasm").write_bytes(wasm)
        (new / "plugin.toml").write_bytes(data)
        for title, event in (golden or {}).items():
            (new / "golden" / f"{title}.json").write_text(json.dumps(event))
        (new / "plugin.toml.minisig").write_text(sign(data, key or self.key, "test"))
        # At once: a room that looks meanwhile would say what it found half written.
        old = home.with_name(f".{home.name}.old")
        if home.exists():
            home.rename(old)
        new.rename(home)
        shutil.rmtree(old, ignore_errors=True)
        return home


def guest(wasm: bytes, name: str = "guest", more: str = "") -> InstalledPlugin:
    return InstalledPlugin(parse(manifest(name, wasm, more=more).encode(), name), wasm, {}, "test")


def shipped(*names: str) -> list[InstalledPlugin]:
    return load_plugins(SHIPPED, KEYS, names)


def install(folder: Path, wasm: bytes, key: SecretKey | None = None, text: str = "") -> Path:
    """Write a signed plugin and its pinned key below `folder`; return the plugin's folder."""
    secret = key or keygen()
    home, keys = folder / "plugins" / "guest", folder / "keys"
    home.mkdir(parents=True)
    keys.mkdir()
    data = (text or manifest("guest", wasm)).encode()
    (home / "guest.wasm").write_bytes(wasm)
    (home / "plugin.toml").write_bytes(data)
    (home / "plugin.toml.minisig").write_text(sign(data, secret, "test"))
    (keys / "test.pub").write_text(public_text(secret.public))
    return home


def event(name: str = "e1", **fields: object) -> PluginEvent:
    return PluginEvent(id=name, **{"kind": "presence", **fields})  # type: ignore[arg-type]


@dataclass
class Posted:
    """Collects what a host posts."""

    signals: queue.Queue[Signal] = field(default_factory=queue.Queue)

    def __call__(self, signal: Signal) -> None:
        self.signals.put(signal)

    def take(self, count: int, seconds: float = 20.0) -> list[Signal]:
        return [self.signals.get(timeout=seconds) for _ in range(count)]

    def by_source(self, signals: Iterable[Signal]) -> dict[str, list[Signal]]:
        found: dict[str, list[Signal]] = {}
        for signal in signals:
            found.setdefault(signal.source, []).append(signal)
        return found
