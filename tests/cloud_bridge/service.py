"""The service's processes as they are run: command lines, a configuration, a room that asks."""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from edge.contracts import topics
from edge.contracts.wire import (
    AckMessage,
    EventMessage,
    MachineReport,
    MachinesMessage,
    WantedMachine,
    WantedMessage,
)
from edge.process.link import Broker, Link
from tests.world.mosquitto import free_port
from tests.world.waiting import within

ROOT = Path(__file__).parents[2]

CONFIG = """
name = "{name}"
guest = "{root}/build/guest"
[broker]
port = {broker}
[store]
url = "{store}"
[provider]
uri = "{uri}"
[templates.small]
lead_s = 60.0
grace_s = {grace}
boot_s = 60.0
[health]
ingest_port = {ingest}
reconcile_port = {reconcile}
[log]
level = "info"
"""


def new_key() -> str:
    return str(uuid.uuid4())


def write_config(
    folder: Path,
    broker: int,
    uri: str,
    name: str = "site",
    grace: float = 1.0,
    store: str = "cloud.db",
) -> Path:
    path = folder / "cloud.toml"
    path.write_text(
        CONFIG.format(
            name=name,
            root=ROOT,
            broker=broker,
            uri=uri,
            grace=grace,
            store=store,
            ingest=free_port(),
            reconcile=free_port(),
        )
    )
    return path


class Running:
    """`roomkeeper-cloud COMMAND CONFIG` as a process of its own."""

    def __init__(self, command: str, config: Path, *options: str) -> None:
        self._command = command
        self._options = options
        self._config = config
        self.log = config.parent / "{}.log".format("".join((command, *options)).replace("/", "-"))
        self.process: subprocess.Popen[bytes] | None = None

    def _line(self) -> list[str]:
        program = Path(sys.executable).parent / "roomkeeper-cloud"
        return [str(program), self._command, str(self._config), *self._options]

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._line(),
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def terminate(self, seconds: float) -> int:
        """Return its exit code; fail when it takes more than `seconds` to end."""
        assert self.process is not None
        self.process.terminate()
        with within(seconds):
            return self.process.wait(60)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            sys.stderr.write(self.log.read_text()[-4000:])
        if self.process is not None and self.process.poll() is None:
            self.kill()


class Altered(Running):
    """`python -m MODULE CONFIG`: the process as a module of the tests runs it."""

    def _line(self) -> list[str]:
        return [sys.executable, "-m", self._command, str(self._config), *self._options]


class Asker:
    """A room's side of the service: sends rows and snapshots, keeps what it is told."""

    def __init__(self, broker: Broker, room: str = "aurora") -> None:
        self.room = room
        self.version = 0
        self.acks: list[int] = []
        self.journals: list[str] = []
        """Whose sequence each of `acks` is."""
        self.told: list[MachinesMessage] = []
        self.link = Link(f"asker-{room}", broker)
        self.link.subscribe(topics.ACK.name(room=room), self._acked)
        self.link.subscribe(topics.MACHINES.name(room=room), self._machines)

    def _acked(self, _topic: str, payload: bytes, _retained: bool) -> None:
        ack = msgspec.json.decode(payload, type=AckMessage)
        self.acks.append(ack.sequence)
        self.journals.append(ack.journal)

    def _machines(self, _topic: str, payload: bytes, _retained: bool) -> None:
        self.told.append(msgspec.json.decode(payload, type=MachinesMessage))

    def event(self, sequence: int, **changes: object) -> None:
        values = {
            "id": f"{self.room}-1-{sequence}",
            "source": f"/roomkeeper/{self.room}",
            "type": "roomkeeper.note",
            "time": "2026-01-01T00:00:00Z",
            "sequence": sequence,
            "data": {"n": sequence},
        }
        message = EventMessage(**{**values, **changes})  # type: ignore[arg-type]
        topic = topics.EVENTS.name(room=self.room)
        assert self.link.publish(topic, msgspec.json.encode(message))

    def raw(self, topic: topics.Topic, payload: bytes) -> None:
        assert self.link.publish(topic.name(room=self.room), payload)

    def want(self, *machines: WantedMachine, at: float = 1.0) -> None:
        self.version += 1
        message = WantedMessage(self.room, self.version, at, machines)
        topic = topics.WANTED.name(room=self.room)
        assert self.link.publish(topic, msgspec.json.encode(message), retain=True)

    def phase(self, key: str) -> str:
        """Return the last phase told of a machine, "" when none was."""
        report = self.report(key)
        return report.phase if report is not None else ""

    def report(self, key: str) -> MachineReport | None:
        machines = self.told[-1].machines if self.told else ()
        return next((report for report in machines if report.key == key), None)

    def phases(self, key: str) -> list[str]:
        """Return every phase told of a machine, in order, without repetition."""
        seen: list[str] = []
        for message in list(self.told):
            for report in message.machines:
                if report.key == key and (not seen or seen[-1] != report.phase):
                    seen.append(report.phase)
        return seen

    def __enter__(self) -> Self:
        self.link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.link.stop()
