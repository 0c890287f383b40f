"""What devices send, taken apart without trust: JSON objects, and paths into them. Pure."""

import re

import msgspec

from edge.contracts.base import ContractError

_objects = msgspec.json.Decoder(dict[str, object])
_anything = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()

WORD_LIMIT = 4096
Path = tuple[str | int, ...]

_STEP = r"""(?:\.([A-Za-z_]\w*)|\[\s*(?:'([^']{1,64})'|"([^"]{1,64})"|(\d{1,3}))\s*\])"""
_TEMPLATE = re.compile(
    rf"\{{\{{-?\s*value(_json)?((?:{_STEP})*)\s*(?:\|\s*(?:int|float|string|upper)\s*)*-?\}}\}}"
)


def an_object(payload: bytes) -> dict[str, object]:
    """Return a JSON object; raise ContractError for anything else."""
    try:
        return _objects.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ContractError("what is no state of a device") from None


def a_list(payload: bytes) -> list[object]:
    """Return a JSON array; raise ContractError for anything else."""
    try:
        value = _anything.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ContractError("what is no list") from None
    if not isinstance(value, list):
        raise ContractError("what is no list")
    return value


def a_word(payload: bytes) -> str:
    """Return a payload that is one short text; raise ContractError for anything else."""
    try:
        text = payload[: WORD_LIMIT + 1].decode().strip()
    except UnicodeDecodeError:
        raise ContractError("what is no text") from None
    if len(payload) > WORD_LIMIT or not text.isprintable():
        raise ContractError("what is no text of a device")
    return text


def as_json(value: object) -> bytes:
    """Return a JSON payload."""
    return _encoder.encode(value)


def path_of(template: str) -> Path | None:
    """Return the way a template takes into the payload: None for the payload as it is.

    Home Assistant's templates are programs; only {{ value }} and {{ value_json.a['b'] }} are
    understood, with the filters int, float, string and upper. Raise ContractError for others.
    """
    if not template.strip():
        return None
    found = _TEMPLATE.fullmatch(template.strip())
    if found is None or len(template) > 256 or (found[2] and not found[1]):
        raise ContractError("a template of the form {{ value_json.name }}")
    if not found[1]:
        return None
    steps = re.finditer(_STEP, found[2])
    return tuple(int(s[4]) if s[4] else s[1] or s[2] or s[3] for s in steps)


def at(payload: bytes, path: Path | None) -> object:
    """Return what stands at `path` in a payload, None when nothing does; None: its text."""
    if path is None:
        return a_word(payload)
    try:
        value: object = _anything.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ContractError("what is no state of a device") from None
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def fill(template: str, text: str) -> str:
    """Return what to send for a value: the template with its one {{ value }} replaced."""
    if not template.strip():
        return text
    parts = re.split(r"\{\{-?\s*value\s*(?:\|\s*(?:int|float|string)\s*)*-?\}\}", template)
    if len(parts) != 2 or "{{" in parts[0] + parts[1] or "{%" in template or len(template) > 256:
        raise ContractError("a template with one {{ value }} and nothing else to work out")
    return f"{parts[0]}{text}{parts[1]}"
