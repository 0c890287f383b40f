"""What became of a burst's edges: answered once, lost or doubled."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.contracts.signals import MotionChanged, PluginAnswered, PluginFailed, decode_signal
from edge.journal import open_reader


@dataclass(slots=True)
class Answers:
    """Counts of one burst. sent: set messages that went out; seconds: until the last answer.

    failed: answered with the word that the plugin could not (its deadline, on a busy machine).
    processor_s: processor time of who answered, where that is known.
    """

    answered: int
    lost: int
    doubled: int
    seconds: float
    sent: int = 0
    failed: int = 0
    processor_s: float = 0.0
    end: int = 0
    """The last row of the journal that was looked at."""

    @property
    def rate(self) -> float:
        """Edges answered a second."""
        return self.answered / self.seconds

    @classmethod
    def of(cls, heard: Iterable[int], count: int, seconds: float, sent: int) -> "Answers":
        """Return the counts of answers that carry the number of their edge."""
        times = Counter(number for number in heard if 0 <= number < count)
        doubled = sum(1 for n in times.values() if n > 1)
        return cls(len(times), count - len(times), doubled, seconds, sent)

    @classmethod
    def in_journal(
        cls, path: Path, count: int, began: float, quiet_s: float, after: int = 0
    ) -> "Answers":
        """Wait for the journal to answer `count` edges behind row `after`; return the counts.

        It is waited for until the journal is quiet.
        """
        ended, end = _wait(path, count, quiet_s, after), after
        edges: dict[str, list[tuple[str, bool]]] = defaultdict(list)
        answers: Counter[str] = Counter()
        failed: set[str] = set()
        with open_reader(path) as reader:
            for row in reader.read(after):
                end = row.seq
                if row.kind != "signal" or row.body is None:
                    continue
                signal = decode_signal(row.body)
                if isinstance(signal, MotionChanged):
                    edges[signal.source].append((row.id, signal.active))
                elif isinstance(signal, PluginAnswered):
                    answers.update(signal.events)
                elif isinstance(signal, PluginFailed):
                    answers.update(signal.events)
                    failed.update(signal.events)
        known = [ident for of_board in edges.values() for ident, _ in of_board]
        for board, of_board in edges.items():
            # Each board said: motion, no motion, motion, ...; in the journal it must stand so.
            said = [active for _, active in of_board]
            assert said == [turn % 2 == 0 for turn in range(len(said))], board
        answered = sum(1 for ident in known if answers[ident])
        doubled = sum(1 for ident in known if answers[ident] > 1) + max(0, len(known) - count)
        told = sum(1 for ident in known if ident in failed)
        lost = count - answered
        return cls(answered - told, lost, doubled, ended - began, failed=told, end=end)


def _wait(path: Path, count: int, quiet_s: float, after: int) -> float:
    """Return when the last answer to an edge was seen durable."""
    edges: set[str] = set()
    found, seen_at = 0, time.monotonic()
    while found < count and time.monotonic() - seen_at < quiet_s:
        with open_reader(path) as reader:
            for row in reader.read(after):
                after, body = row.seq, row.body or b""
                if body.startswith(b'{"type":"motion'):
                    edges.add(row.id)
                elif body.startswith(b'{"type":"plugin'):
                    signal = decode_signal(body)
                    assert isinstance(signal, PluginAnswered | PluginFailed)
                    found += len(edges.intersection(signal.events))
                    seen_at = time.monotonic()
        time.sleep(0.02)
    return seen_at
