"""What the contract suite needs of a provider to run it for real; one entry for each in ENTRIES.

A provider joins with a file of its own: a context manager that yields a `Case`, and its `Entry`.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from cloud_bridge.types import Create, Machine, Template
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.base import Provider

SMALL = Template("small", 128)


class Closable(Provider, Protocol):
    """A provider that holds something open."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Case:
    """One provider on its real thing.

    provider: opens it as the service of that name, any number of times on the same real thing;
    kill: ends the machine of a key behind the provider's back, as a fault of the host would;
    stranger: holds a machine without our tag and tells the key under which it is listed;
    unmade: what cannot be made -> what the error says; boots, memory_mib: its `capacity()`;
    answers: whether a machine's own service answers; boot_s: how long that may take; ten_lists_s:
    how long ten looks at what there is may take.
    """

    provider: Callable[[str], Closable]
    kill: Callable[[str], None]
    stranger: Callable[[], AbstractContextManager[str]]
    template: Template = SMALL
    unmade: Mapping[Template, str] = field(default_factory=dict)
    memory_mib: int = 512
    boots: int = 2
    answers: Callable[[Machine], bool] = answers
    boot_s: float = 120.0
    ten_lists_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Entry:
    """open: makes the case from pytest's request, for a module; marks: as of `pytest.mark`."""

    open: Callable[[pytest.FixtureRequest], AbstractContextManager[Case]]
    marks: tuple[pytest.MarkDecorator, ...] = ()


def spec(key: str, until: float = 2e9, template: Template = SMALL) -> Create:
    """Return what is asked for, with names that need care."""
    return Create(key, 'demo <&"> 1/2@x', ("aurora", "b c"), template, until, "Title")


def processes(key: str) -> list[int]:
    """Return the process ids of the QEMU that runs a key, whatever a provider says."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if line.partition(b"\0")[0].endswith(b"qemu-system-x86_64") and key.encode() in line:
                found.append(int(entry.name))
    return found


def kill(key: str) -> None:
    """Kill -9 the QEMU that runs a key."""
    found = processes(key)
    assert found, f"no process runs {key}"
    for pid in found:
        os.kill(pid, signal.SIGKILL)
