"""The shipped plugins: golden events in the real sandbox, and an SDK that survives anything."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from edge.contracts.plugin import PluginInput, PluginOutput, output_decoder
from edge.plugins.answer import read_answer
from edge.plugins.sandbox import Guest, GuestError, Instance, Sandbox
from tests.plugins.guests import ROOT, SHIPPED, shipped

COMPILER = ROOT / ".venv-wasm" / "bin" / "python"
JAVASCRIPT = SHIPPED / "node_modules" / ".bin" / "componentize-qjs"
SMALL = ("lights", "climate", "camera", "microphone", "blinds")
"""In C and Zig: what they read and write with is in this tree."""
NAMES = (*SMALL, "display")
GOLDEN = sorted(path for name in NAMES for path in (SHIPPED / name / "golden").glob("*.json"))


class Golden(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    input: PluginInput
    output: PluginOutput


@pytest.fixture(scope="module")
def guests() -> Iterator[dict[str, Guest]]:
    """The shipped plugins with a second to answer: here it counts what they say, not how soon."""
    box = Sandbox()
    yield {
        plugin.id: box.compile(
            plugin.id, plugin.wasm, replace(plugin.manifest.limits, deadline_ms=1000)
        )
        for plugin in shipped(*NAMES)
    }
    box.close()


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_golden_events(path: Path, guests: dict[str, Guest]) -> None:
    golden = msgspec.json.decode(path.read_bytes(), type=Golden)
    text = guests[path.parts[-3]].call("handle", msgspec.json.encode(golden.input).decode())
    answer = read_answer(text, frozenset(event.id for event in golden.input.events))
    assert answer == golden.output


def test_every_plugin_has_golden_events_that_answer_each_event() -> None:
    assert {path.parts[-3] for path in GOLDEN} == set(NAMES)
    for path in GOLDEN:
        golden = msgspec.json.decode(path.read_bytes(), type=Golden)
        answered = {command.event for command in golden.output.commands}
        assert answered == {event.id for event in golden.input.events}


def test_plugins_ask_only_for_what_their_manifest_names() -> None:
    rows = {plugin.id: plugin.manifest for plugin in shipped(*NAMES)}
    for path in GOLDEN:
        golden = msgspec.json.decode(path.read_bytes(), type=Golden)
        for command in golden.output.commands:
            row = rows[path.parts[-3]].actuator(command.actuator)
            assert row is not None
            if row.values:
                assert command.value in row.values
            else:
                assert isinstance(command.value, int | float)
                assert row.min <= command.value <= row.max


numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)
keys = st.sampled_from(
    (
        "events", "now", "state", "settings", "id", "kind", "occupied", "count", "meeting",
        "intent", "minutes_to_next", "targets", "readings", "light.main", "climate.setpoint",
        "illuminance", "hold_s", "default_level", "actuator", "contacts", "window", "lamps",
        "reported", "microphone.mute", "camera.preset", "sound_db", "voice", "clipped", "level",
        "consent", "counted", "presentation", "rate", "view", "share", "sun_azimuth",
    )
)  # fmt: skip
plausible = st.recursive(
    values, lambda inner: st.one_of(st.lists(inner), st.dictionaries(keys, inner)), max_leaves=30
)
documents = plausible.map(json.dumps)


def survives(guest: Guest, text: str) -> None:
    """Either an answer that is one, or none at all: never a trap, never half an answer."""
    with Instance(guest) as instance:
        answer = instance.call("handle", text)
        if answer:
            assert isinstance(output_decoder.decode(answer), PluginOutput)
        # The same instance is whole afterwards.
        assert instance.call("handle", '{"events":[]}').startswith('{"commands":[]')


@given(text=st.text())
@example(text="[" * 100_000)
@example(text='{"events":' + "[" * 17)
@example(text='{"a":"\\ud800"}')
@example(text='{"a":"\\')
@example(text='{"now":1e999,"events":[]}')
@example(text='{"now":-0.0000001e-400,"events":[{}]}')
@example(text='{"events":[' + "{}," * 20_000 + "{}]}")
@example(text='"' + "\\n" * 900_000 + '"')
def test_reader_survives_arbitrary_text(guests: dict[str, Guest], text: str) -> None:
    for name in SMALL:
        survives(guests[name], text)


@given(text=documents, cut=st.integers(0, 4), junk=st.binary(max_size=3))
def test_reader_survives_damaged_documents(
    guests: dict[str, Guest], text: str, cut: int, junk: bytes
) -> None:
    middle = len(text) // 2
    damaged = text[:middle] + junk.decode("latin-1") + text[middle + cut :]
    for name in SMALL:
        survives(guests[name], text)
        survives(guests[name], damaged)


@given(
    fields=st.fixed_dictionaries(
        {"id": st.just("e"), "kind": st.just("presence")},
        optional={
            "occupied": st.booleans(),
            "count": st.integers(-5, 10**6),
            "meeting": st.sampled_from(["none", "pending", "active"]),
            "minutes_to_next": st.floats(-1, 1e6),
            "intent": st.text(max_size=80),
            "targets": st.dictionaries(
                st.sampled_from(["light.a", "climate.a", "vm"]), st.floats(-1e6, 1e6)
            ),
            "readings": st.dictionaries(
                st.sampled_from(["illuminance", "temperature", "co2"]), st.floats(-1e3, 1e6)
            ),
            "contacts": st.dictionaries(st.sampled_from(["window", "door"]), st.booleans()),
            "consent": st.sampled_from(["all", "counts", "off"]),
            "started": st.booleans(),
            "counted": st.booleans(),
            "sound_db": st.floats(-200, 0),
            "voice": st.floats(0, 1),
            "clipped": st.floats(0, 1),
            "sun_azimuth": st.floats(0, 360),
            "sun_elevation": st.floats(-90, 90),
            "local_hour": st.floats(-1, 24),
            "weekday": st.integers(-1, 6),
        },
    ),
    now=st.floats(0, 4e9),
)
def test_any_valid_event_is_answered_within_bounds(
    guests: dict[str, Guest], fields: dict[str, object], now: float
) -> None:
    given_input = {"events": [fields], "now": now, "seed": 1, "settings": {}}
    for guest in guests.values():
        text = guest.call("handle", json.dumps(given_input))
        answer = read_answer(text, frozenset(["e"]))
        assert len(answer.commands) >= 1
        if guest.name == "lights":
            assert all(0 <= float(command.value) <= 100 for command in answer.commands)


def test_too_large_an_input_fails_cleanly(guests: dict[str, Guest]) -> None:
    with pytest.raises(GuestError):
        guests["lights"].call("handle", " " * (8 << 20))


@pytest.mark.slow
@pytest.mark.skipif(
    not (COMPILER.exists() and JAVASCRIPT.exists()),
    reason="nothing to rebuild with: tests/world/bootstrap.sh wasm",
)
def test_kept_components_are_what_their_sources_give() -> None:
    done = subprocess.run(
        [COMPILER, "-m", "wasm_modules.build", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
