"""What cloud-init is told: a NoCloud volume, an ISO 9660 image that is the same bytes each time."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

from cloud_bridge.types import Create

SECTOR = 2048
ROOT, FIRST = 20, 21
LABEL = "CIDATA"
TEXT_MAX = 500
USER_DATA_MAX = 64 * 1024
NO_USER_DATA = b"#cloud-config\n{}\n"


def seed(spec: Create, key: str, token: str, user_data: Path | None) -> bytes:
    """Return the volume: user-data as it stands in the file, what is told in its meta-data.

    It may begin with "## template: jinja" and use {{ ds.meta_data.roomkeeper.room | tojson }},
    meeting, title ("" unless the room's policy lets it out), key, token and rooms. Raises OSError,
    also where `tojson` is missing.
    """
    told = {
        "room": spec.rooms[0],
        "rooms": list(spec.rooms),
        "meeting": spec.meeting,
        "title": spec.title,
        "key": key,
        "token": token,
    }
    bounded = {name: _bounded(value) for name, value in told.items()}
    meta = {"instance-id": key, "local-hostname": f"room-{key[:8]}", "roomkeeper": bounded}
    data = NO_USER_DATA
    if user_data is not None:
        with user_data.open("rb") as file:
            data = file.read(USER_DATA_MAX + 1)
        if len(data) > USER_DATA_MAX:
            raise OSError(f"{user_data} is longer than {USER_DATA_MAX} bytes")
        if careless := _careless(data):
            raise OSError(
                f"{user_data}: {careless} lets a title add commands: end it with | tojson"
            )
    # JSON is YAML as well, and leaves nothing to be broken out of.
    text = json.dumps(meta, indent=1, sort_keys=True).encode() + b"\n"
    return iso({"META-DATA": text, "USER-DATA": data}, LABEL)


def _careless(data: bytes) -> str:
    """Return a place where what people wrote would stand between YAML's lines as it is, or ""."""
    for part in data.split(b"{{")[1:]:
        inner = part.partition(b"}}")[0]
        if b"roomkeeper." in inner and b"tojson" not in inner:
            return f"{{{{{inner.decode(errors='replace')[:80]}}}}}"
    return ""


def _bounded(value: object) -> object:
    if isinstance(value, list):
        return [str(each)[:TEXT_MAX] for each in value[:16]]
    return str(value)[:TEXT_MAX]


def iso(files: Mapping[str, bytes], label: str) -> bytes:
    """Return a volume with these files in its root, which Linux shows in small letters.

    At most a dozen files: their records share one sector.
    """
    records = [_record(b"\0", ROOT, SECTOR, folder=True), _record(b"\1", ROOT, SECTOR, folder=True)]
    bodies = []
    at = FIRST
    for name, data in sorted(files.items()):
        records.append(_record(f"{name}.;1".encode("ascii"), at, len(data), folder=False))
        bodies.append(_whole(data))
        at += len(bodies[-1]) // SECTOR
    table = struct.pack("<BBIH2s", 1, 0, ROOT, 1, b"\0\0")
    table_big = struct.pack(">BBIH2s", 1, 0, ROOT, 1, b"\0\0")
    parts = [b"\0" * (16 * SECTOR), _volume(label, at, len(table))]
    parts += [_whole(b"\xffCD001\x01"), _whole(table), _whole(table_big), _whole(b"".join(records))]
    return b"".join([*parts, *bodies])


def _volume(label: str, sectors: int, table: int) -> bytes:
    """Return the primary volume descriptor."""
    return _whole(
        b"\x01CD001\x01\0"
        + b" " * 32
        + label.encode("ascii").ljust(32)
        + b"\0" * 8
        + _both(sectors, 4)
        + b"\0" * 32
        + _both(1, 2)
        + _both(1, 2)
        + _both(SECTOR, 2)
        + _both(table, 4)
        + struct.pack("<II", 18, 0)
        + struct.pack(">II", 19, 0)
        + _record(b"\0", ROOT, SECTOR, folder=True)
        + b" " * (128 * 4 + 37 * 3)
        + (b"0" * 16 + b"\0") * 4
        + b"\x01\0"
    )


def _record(name: bytes, at: int, size: int, *, folder: bool) -> bytes:
    head = _both(at, 4) + _both(size, 4) + b"\0" * 7 + (b"\x02" if folder else b"\0") + b"\0\0"
    body = head + _both(1, 2) + bytes([len(name)]) + name
    body += b"\0" * (len(name) % 2 == 0)
    return bytes([len(body) + 2, 0]) + body


def _both(number: int, width: int) -> bytes:
    """Return the number in both byte orders, as the format wants it."""
    return number.to_bytes(width, "little") + number.to_bytes(width, "big")


def _whole(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % SECTOR)
