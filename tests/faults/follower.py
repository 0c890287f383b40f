"""What the room's journal says, read from outside while the room lives and dies."""

from collections import Counter
from pathlib import Path

import msgspec

from edge.contracts.decision import Decision
from edge.contracts.signals import (
    CalendarRead,
    CalendarWritten,
    MachineChanged,
    MotionChanged,
    PeopleCounted,
    SoundMeasured,
    decode_signal,
)
from edge.journal import open_reader

_decisions = msgspec.json.Decoder(Decision)


class Follower:
    """Reads on with each `poll`; `head`, `cursor` and what was heard last stand as attributes."""

    def __init__(self, journal: Path) -> None:
        self._reader = open_reader(journal)
        self.head = 0
        self.cursor = 0
        self.decided_in = 0
        """The start (boot) the last decision belongs to."""
        self.motion_at = 0.0
        """Wall second of the last motion that was journaled."""
        self.meetings: frozenset[str] = frozenset()
        self.phases: dict[str, list[tuple[float, str]]] = {}
        """(wall second, phase) of each machine, by its meeting's uid."""
        self.commands: list[str] = []
        self.sources: list[str] = []
        """Who those commands came from."""
        self.counted_at = self.heard_at = 0.0
        """Wall second of the last count of people and of the last sound."""
        self.written: list[tuple[str, str]] = []
        """(verb, outcome) of what was written into the calendar."""
        self.writes: dict[str, str] = {}
        """Id of each write -> its verb."""
        self.notes: list[str] = []
        self.verbs: list[tuple[str, str]] = []
        """(uid, verb) of what was to be written into the calendar."""

    def poll(self) -> "Follower":
        """Read what is new."""
        for row in self._reader.read(self.head):
            self.head = row.seq
            if row.body is None:
                continue
            if row.kind == "decision":
                self.decided_in = row.boot
                self._decision(_decisions.decode(row.body))
            elif row.kind == "signal":
                self._signal(row.now.wall, row.body)
        self.cursor = int(str(self._reader.meta().get("cursor", 0)))
        return self

    def _decision(self, decision: Decision) -> None:
        self.commands += [command.id for command in decision.commands]
        self.sources += [command.source for command in decision.commands]
        self.notes += decision.notes
        self.verbs += [(write.uid, write.verb) for write in decision.writes]
        self.writes |= {write.id: write.verb for write in decision.writes}

    def _signal(self, wall: float, body: bytes) -> None:
        match decode_signal(body):
            case MotionChanged():
                self.motion_at = wall
            case PeopleCounted():
                self.counted_at = wall
            case SoundMeasured():
                self.heard_at = wall
            case CalendarWritten(command=command, outcome=outcome):
                self.written.append((self.writes.get(command, command), outcome))
            case CalendarRead(meetings=meetings):
                self.meetings = frozenset(meeting.uid for meeting in meetings)
            case MachineChanged(machines=machines):
                for machine in machines:
                    uid = machine.meeting.split("/")[0]
                    known = self.phases.setdefault(uid, [])
                    if not known or known[-1][1] != machine.phase:
                        known.append((wall, machine.phase))

    def phase(self, uid: str) -> str:
        """Return the phase of the meeting's machine, "" when none was reported."""
        return self.phases[uid][-1][1] if uid in self.phases else ""

    def was_away(self, uid: str, since: float) -> bool:
        """Return whether the machine was anything but ready after `since`."""
        return any(at >= since and phase != "ready" for at, phase in self.phases.get(uid, []))

    def twice(self) -> list[str]:
        """Return the ids of commands that were given out more than once."""
        return [ident for ident, times in Counter(self.commands).items() if times > 1]

    def close(self) -> None:
        """Let go of the journal."""
        self._reader.close()
