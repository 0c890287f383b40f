"""What a server of Nova bears to be known as ours: its metadata, written and read."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from cloud_bridge.types import Create

PREFIX = "roomkeeper"
PIECE = 255
"""Nova holds 255 characters a value; what people wrote is cut into as many as it takes."""
PIECES = 16


@dataclass(frozen=True, slots=True)
class Tag:
    """What is written on a server. owner: the service that made it; times: wall seconds."""

    owner: str
    key: str
    meeting: str
    rooms: tuple[str, ...]
    template: str
    until: float
    created: float
    grace_s: float
    token: str
    port: int


def server_name(key: str) -> str:
    """Return the server's name, which is for people alone: Nova allows any number of one name."""
    return f"{PREFIX}-{key}"


def new_tag(owner: str, spec: Create, created: float, token: str, port: int) -> Tag:
    """Return what is written on the server that is made for `spec`."""
    return Tag(
        owner,
        spec.key,
        spec.meeting,
        spec.rooms,
        spec.template.name,
        spec.until,
        created,
        spec.template.grace_s,
        token,
        port,
    )


def metadata_of(tag: Tag) -> dict[str, str]:
    """Return the tag as metadata; ValueError when it is longer than Nova holds.

    Percent-encoded, since Nova's database may hold no character beyond the basic plane.
    """
    return {
        f"{PREFIX}.owner": tag.owner,
        f"{PREFIX}.key": tag.key,
        f"{PREFIX}.template": tag.template,
        f"{PREFIX}.created": repr(tag.created),
        f"{PREFIX}.grace": repr(tag.grace_s),
        f"{PREFIX}.token": tag.token,
        f"{PREFIX}.port": str(tag.port),
        **lease_of(tag.until),
        **_pieces("meeting", quote(tag.meeting, safe="")),
        **_pieces("rooms", " ".join(quote(room, safe="") for room in tag.rooms)),
    }


def lease_of(until: float) -> dict[str, str]:
    """Return the part of the metadata that a renewal writes anew."""
    return {f"{PREFIX}.until": repr(until)}


def read_tag(metadata: Mapping[str, str]) -> Tag | None:
    """Return what the metadata says, or None when it is not one of ours."""
    try:
        return Tag(
            metadata[f"{PREFIX}.owner"],
            metadata[f"{PREFIX}.key"],
            unquote(_joined("meeting", metadata)),
            tuple(unquote(room) for room in _joined("rooms", metadata).split()),
            metadata[f"{PREFIX}.template"],
            float(metadata[f"{PREFIX}.until"]),
            float(metadata[f"{PREFIX}.created"]),
            float(metadata[f"{PREFIX}.grace"]),
            metadata[f"{PREFIX}.token"],
            int(metadata[f"{PREFIX}.port"]),
        )
    except (KeyError, ValueError):
        return None


def _pieces(name: str, text: str) -> dict[str, str]:
    cuts = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
    if len(cuts) > PIECES:
        raise ValueError(f"its {name} has more than {PIECE * PIECES} characters")
    return {f"{PREFIX}.{name}.{number}": cut for number, cut in enumerate(cuts)}


def _joined(name: str, metadata: Mapping[str, str]) -> str:
    first = metadata[f"{PREFIX}.{name}.0"]
    rest = (metadata.get(f"{PREFIX}.{name}.{number}", "") for number in range(1, PIECES))
    return first + "".join(rest)
