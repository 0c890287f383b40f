"""What is known of a machine, in a small file beside its process: its tag, and so its lease."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloud_bridge.vms.base import VmError
from cloud_bridge.vms.domain import Tag, domain_uuid

ENDINGS = (".json", ".qmp", ".agent", ".log")
LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class Record:
    """tag: as on every machine; template: key of the template it was copied from, "" for none."""

    tag: Tag
    template: str = ""


class Records:
    """The records in one folder. A record is whole or not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder, for its owner alone: tokens stand in it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise VmError(f"{self.folder} cannot be made: {error}") from error

    def base(self, key: str) -> Path:
        """Return the path of what belongs to a key, without its ending."""
        return self.folder / domain_uuid(key)

    def get(self, key: str) -> Record | None:
        """Return a key's record, None when there is none that can be read."""
        return _read(Path(f"{self.base(key)}.json"))

    def all(self) -> dict[str, Record]:
        """Return every record by key."""
        found = {path.stem: _read(path) for path in self.folder.glob("*.json")}
        return {key: record for key, record in found.items() if record is not None}

    def put(self, record: Record) -> None:
        """Write a record in place of what was there."""
        path = Path(f"{self.base(record.tag.key)}.json")
        part = path.with_suffix(f".part{os.getpid()}")
        try:
            part.write_bytes(msgspec.json.encode(record))
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise VmError(
                f"machine {record.tag.key}: its record is not written: {error}"
            ) from error

    def remove(self, key: str) -> None:
        """Remove the record and what else belongs to the key."""
        base = self.base(key)
        try:
            for ending in reversed(ENDINGS):
                Path(f"{base}{ending}").unlink(missing_ok=True)
        except OSError as error:
            raise VmError(f"machine {key}: its record stays: {error}") from error


def _read(path: Path) -> Record | None:
    try:
        data = path.read_bytes()
        record = msgspec.json.decode(data, type=Record) if len(data) <= LIMIT else None
    except (OSError, ValueError):
        return None
    return record if record is not None and record.tag.key == path.stem else None
