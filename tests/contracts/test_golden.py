"""What crosses a boundary stays readable: golden payloads, schemas, the table of topics."""

import json
from pathlib import Path
from typing import get_args

import jsonschema
import msgspec
import pytest

from edge.contracts.base import ContractError
from edge.contracts.schema import boundary_types, file_name, schemas
from edge.contracts.signals import Signal, decode_signal, encode_signal
from edge.contracts.topics import PAYLOAD_LIMIT, TOPICS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TYPES = {name: kind for name, kind in boundary_types().items() if name != "signal"}
CONSTANT = {"schema"}
"""Fields that a golden leaves out: they have one value only."""


def golden(name):
    return (HERE / "golden" / f"{name}.json").read_bytes()


def check(kind, payload):
    """Fail unless `payload` reads as a `kind`, is written again the same, and uses every field."""
    value = msgspec.json.decode(payload, type=kind)
    assert json.loads(msgspec.json.encode(value)) == json.loads(payload)
    for part in parts(value):
        fields = set(part.__struct_fields__) - CONSTANT
        written = set(msgspec.to_builtins(part)) - {"type"}
        assert fields - {"type"} <= written, f"the golden leaves out a field of {type(part)}"


def parts(value):
    """Yield every struct inside a message."""
    if isinstance(value, msgspec.Struct):
        yield value
        for name in value.__struct_fields__:
            yield from parts(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from parts(item)


@pytest.mark.parametrize("name", TYPES)
def test_a_golden_payload_is_read_and_written_again_the_same(name):
    check(TYPES[name], golden(name))


@pytest.mark.parametrize("name", TYPES)
def test_a_golden_payload_fits_its_schema(name):
    jsonschema.validate(json.loads(golden(name)), json.loads(schemas()[f"{name}.json"]))


@pytest.mark.parametrize("name", [name for name in TYPES if name.startswith("signal-")])
def test_a_signal_is_told_from_the_others_by_its_tag(name):
    signal = decode_signal(golden(name))
    assert type(signal) is TYPES[name]
    assert decode_signal(encode_signal(signal)) == signal


def changed(kind, change):
    """Return `kind` after somebody changed its fields."""
    fields = {
        f.name: (f.name, f.type, f.default if f.default is not msgspec.NODEFAULT else None)
        for f in msgspec.structs.fields(kind)
    }
    change(fields)
    config = kind.__struct_config__
    return msgspec.defstruct(
        kind.__name__, list(fields.values()), kw_only=True, frozen=True, omit_defaults=True,
        forbid_unknown_fields=config.forbid_unknown_fields,
    )  # fmt: skip


def renamed(fields):
    name, (_, kind, default) = next(iter(fields.items()))
    del fields[name]
    fields["renamed"] = ("renamed", kind, default)


def retyped(fields):
    name, (_, kind, default) = next(iter(fields.items()))
    fields[name] = (name, list[int] if kind is not list[int] else str, default)


@pytest.mark.parametrize("change", [lambda f: f.pop(next(iter(f))), renamed, retyped])
@pytest.mark.parametrize("name", ["wanted-message", "ack-message", "machines-message", "command"])
def test_an_incompatible_change_would_be_noticed(name, change):
    with pytest.raises((AssertionError, msgspec.ValidationError)):
        check(changed(TYPES[name], change), golden(name))


def test_every_golden_belongs_to_a_message_and_every_message_has_one():
    assert {path.stem for path in (HERE / "golden").iterdir()} == set(TYPES)


def test_the_schemas_in_the_tree_are_current():
    kept = {p.name: p.read_bytes() for p in (ROOT / "edge/contracts/schema").glob("*.json")}
    assert kept == schemas(), "run: make schema"


def test_every_signal_has_a_tag_of_its_own():
    tags = [kind.__struct_config__.tag for kind in get_args(Signal)]
    assert len(set(tags)) == len(tags)


PARTIES = {
    "edge": "room",
    "sensor board": "room",
    "device": "room",
    "Home Assistant": "room",
    "ingest": "site",
    "reconciler": "site",
}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.pattern)
def test_a_topic_has_a_message_and_a_known_writer_and_reader(topic):
    assert file_name(topic.type) in TYPES
    for party in (topic.writer, topic.reader):
        assert party in PARTIES
        assert party == "edge" or PARTIES[party] == topic.broker
    assert topic.writer != topic.reader
    assert topic.rate > 0


def test_no_two_topics_overlap():
    shapes = [(t.broker, t.filter()) for t in TOPICS]
    assert len(set(shapes)) == len(shapes)


HOSTILE = ["", "+", "#", "a/b", "../x", "a\0b", "x" * 129, "/", "a+", "$SYS/#"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.pattern)
def test_a_hole_takes_no_wildcard_and_no_level(topic, text):
    holes = {part[1:-1]: "fine" for part in topic.pattern.split("/") if part.startswith("{")}
    for hole in holes:
        with pytest.raises(ContractError, match=hole):
            topic.name(**{**holes, hole: text})
    assert "{" not in topic.name(**holes)


def test_a_filter_opens_the_holes_that_are_not_filled():
    row = next(t for t in TOPICS if "{node}" in t.pattern)
    assert row.filter(room="aurora") == "roomkeeper/aurora/node/+"
    assert row.filter() == "roomkeeper/+/node/+"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"type": "unheard"}',
        b'{"type": "people", "source": "camera", "count": "3"}',
        b'{"type": "people", "source": "camera", "count": 1e400}',
        b'{"type": "people", "source": "camera", "count": NaN}',
        b'{"type": "reading", "source": "n", "quantity": "gold", "value": 1}',
        b'{"type": "operator", "source": "panel", "verb": "explode"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type": "clock", "source": "c", "trusted": 1}',
    ],
)
def test_what_is_no_signal_is_refused(payload):
    with pytest.raises((msgspec.DecodeError, RecursionError, UnicodeDecodeError)):
        decode_signal(payload)


@pytest.mark.parametrize("name", ["wanted-message", "command", "calendar-write", "plugin-output"])
def test_what_is_obeyed_has_no_unknown_field(name):
    payload = {**json.loads(golden(name)), "extra": 1}
    with pytest.raises(msgspec.ValidationError, match="unknown field `extra`"):
        msgspec.convert(payload, TYPES[name])


@pytest.mark.parametrize("name", ["ack-message", "machines-message", "node-message"])
def test_what_is_told_may_grow(name):
    payload = {**json.loads(golden(name)), "extra": 1}
    assert msgspec.convert(payload, TYPES[name]) == msgspec.json.decode(
        golden(name), type=TYPES[name]
    )


def test_a_snapshot_of_a_busy_day_and_a_half_fits_a_payload():
    wanted = json.loads(golden("wanted-message"))
    wanted["machines"] = wanted["machines"] * 36 * 12
    assert len(json.dumps(wanted)) < PAYLOAD_LIMIT
