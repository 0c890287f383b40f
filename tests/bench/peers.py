"""Beside the engines people use: `python -m tests.bench.peers [ROUNDS]`.

One task for all, on one broker, in turn: a sensor board says {"occupancy": true | false, "id": n};
a rule decides; a set message {"brightness": 254 | 0} goes out.

- Roomkeeper: a whole room process with fusion, plugin in its sandbox, policy, arbiter, gate and
  durable journal on. Its set messages go out at QoS 1.
- Node-RED 4 (a function node) and Home Assistant 2024.3.3 (an automation), as people install them;
  none of the above, QoS 0. What they answer carries the id.
- echo: a client that answers itself through the broker, the limit of broker and client. Beside it,
  one small write to the disk that holds the journal, made durable: what Roomkeeper waits for too.

Paced: 10 a second each, as sensors speak. Closed loop: the next when the last is answered, a dozen
in a row, then the others. Burst: 5,000 as fast as the broker takes them, every message an edge that
changes the room; for Roomkeeper from 250 boards, as none may say more than twenty at once. Answered
there means: for the peers, a set message with that id; for Roomkeeper, the plugin's answer to that
edge, durable in the journal, of which the arbiter makes what the lamp should be: a lamp is set to
the newest wish, not 5,000 times in a second, and its last state is checked. A plugin that overran
its deadline (by the clock, on a busy machine) is answered for by that word, counted by itself.
Lost: without an answer. Doubled: answered twice.

What comes first of each does not count: an engine compiles its rule, a room hears of its boards,
and the journal's files grow to the size that they keep.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec

from edge.contracts.topics import NODE
from edge.process.link import Link
from tests.bench._answers import Answers
from tests.bench._peers import (
    BOARDS,
    ECHO,
    HOME_ASSISTANT,
    LAMP,
    NODE_RED,
    OURS,
    Asker,
    engines,
    write_peer_room,
)
from tests.bench._room import quantile, running, tell, write_room
from tests.bench.chain import disk, milliseconds
from tests.bench.site import seconds_used
from tests.world.mosquitto import Mosquitto
from tests.world.probes import wait_for

PACED, PACE_S = 150, 0.1
PACED_FIRST = 250
"""Turns that do not count: then the journal's write-ahead log is as large as it gets."""
CLOSED, CLOSED_ROUNDS, ROUND_S = 12, 20, 1.5
"""A lamp may change 600 times a minute: what is asked one by one stays below."""
BURST = 5000
BURST_FIRST = 2 * len(BOARDS)
"""Edges that do not count: each board has spoken then."""
BURST_ROUNDS = 4
QUIET_S = 15.0
DISK = "4 KB made durable on the journal's disk"
TOPICS: dict[str, Callable[[str], str]] = {
    OURS: lambda board: NODE.name(room="bench", node=board),
    NODE_RED: lambda board: f"peers/nodered/{board}",
    HOME_ASSISTANT: lambda board: f"peers/homeassistant/{board}",
    ECHO: lambda _board: "peers/echo",
}
OUT = {
    OURS: LAMP,
    NODE_RED: "peers/nodered-out",
    HOME_ASSISTANT: "peers/homeassistant-out",
    ECHO: "peers/echo",
}


def message(number: int) -> bytes:
    """Return what the board says the `number`-th time: motion, no motion, motion, ..."""
    return msgspec.json.encode({"occupancy": number % 2 == 0, "id": number})


def speakers() -> Iterator[str]:
    """Yield who speaks: each board says that motion began, then that it ended."""
    while True:
        for board in BOARDS:
            yield board
            yield board


def one_by_one(askers: dict[str, Asker], page: Path) -> dict[str, dict[str, list[float]]]:
    """Return the milliseconds of each subject, paced and in a closed loop, taken in turn.

    page: a file on the journal's disk, written and made durable in turn with them.
    """
    found: dict[str, dict[str, list[float]]] = {"first": {}, "paced": {}, "closed loop": {}}
    counts = dict.fromkeys(askers, 0)

    def ask(name: str) -> float:
        number = counts[name]
        counts[name] += 1
        return askers[name].ask(TOPICS[name]("board"), message(number), number)

    for name, asker in askers.items():
        asker.wake(partial(ask, name))
    with page.open("wb") as file:
        for turn in range(PACED_FIRST + PACED):
            kind = "paced" if turn >= PACED_FIRST else "first"
            for name in askers:
                began = time.monotonic()
                found[kind].setdefault(name, []).append(ask(name))
                time.sleep(max(0.0, began + PACE_S / len(askers) - time.monotonic()))
            found[kind].setdefault(DISK, []).extend(milliseconds([disk(file.fileno())]))
    for _ in range(CLOSED_ROUNDS):
        ends = time.monotonic() + ROUND_S
        for name in askers:
            values = found["closed loop"].setdefault(name, [])
            values += [ask(name) for _ in range(CLOSED)]
        time.sleep(max(0.0, ends - time.monotonic()))
    del found["first"]
    return found


def send(link: Link, name: str, count: int = BURST) -> float:
    """Publish so many edges as fast as the broker takes them; return when that began."""
    speaker = speakers()
    topics = [TOPICS[name](next(speaker)) for _ in range(count)]
    messages = [message(number) for number in range(count)]
    began = time.monotonic()
    for topic, body in zip(topics, messages, strict=True):
        assert link.publish(topic, body, qos=0)
    return began


def burst_of_peer(link: Link, asker: Asker, name: str) -> Answers:
    asker.count()
    send(link, name, BURST_FIRST)
    asker.wait_for(BURST_FIRST, QUIET_S)
    asker.count()
    began = send(link, name)
    ended = asker.wait_for(BURST, QUIET_S)
    return Answers.of(asker.heard, BURST, ended - began, len(asker.heard))


def burst_of_ours(broker: Mosquitto, link: Link, asker: Asker, folder: Path) -> Answers:
    """A room of its own, so that what its lamp did before does not count."""
    folder.mkdir()
    config, health = write_peer_room(folder, broker.port)
    journal = folder / "room.journal"
    with running(config, health) as room:
        first = Answers.in_journal(journal, BURST_FIRST, send(link, OURS, BURST_FIRST), QUIET_S)
        time.sleep(1.0)  # until each board may say twenty at once again
        asker.count()
        before = seconds_used(room.pid)
        began = send(link, OURS)
        found = Answers.in_journal(journal, BURST, began, QUIET_S, first.end)
        found.processor_s = seconds_used(room.pid) - before
        asker.wait_for(BURST, 0.2)
        found.sent = len(asker.heard)
        # The last edge was "no motion"; the gate lets the lamp change 600 times a minute.
        wait_for("the lamp to be as the last edge says", lambda: not asker.lit, 70)
    return found


def tell_one_by_one(found: dict[str, dict[str, list[float]]]) -> None:
    for kind, by_name in found.items():
        for label, part in (("p50", 0.5), ("p99", 0.99)):
            ours = quantile(by_name[OURS], part)
            for name, values in by_name.items():
                value = quantile(values, part)
                beside = ("", None) if name == OURS else (OURS, ours)
                tell(f"{name}, {kind}, {label}", value, "ms", *beside)


def tell_bursts(found: dict[str, list[Answers]]) -> None:
    rates = {name: statistics.median(a.rate for a in runs) for name, runs in found.items()}
    for name, runs in found.items():
        worst = min(runs, key=lambda a: a.answered)
        beside = ("", None) if name == OURS else (OURS, rates[OURS])
        tell(f"{name}, burst of {BURST:,}: answered", worst.answered, "edges")
        tell(f"{name}, burst of {BURST:,}: lost", worst.lost, "edges")
        if name == OURS:
            failed = max(a.failed for a in runs)
            tell(f"{name}, burst of {BURST:,}: answered that the plugin failed", failed, "edges")
            least = min(a.processor_s for a in runs) / BURST * 1e6
            tell(f"{name}, burst of {BURST:,}: own processor time", least, "us/edge")
        tell(f"{name}, burst of {BURST:,}: doubled", max(a.doubled for a in runs), "edges")
        tell(f"{name}, burst of {BURST:,}: set messages", worst.sent, "messages")
        tell(f"{name}, burst of {BURST:,}", rates[name], "edges/s", *beside)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else BURST_ROUNDS
    with ExitStack() as stack:
        # What a slow reader has not taken is lost by nobody but the reader.
        broker = stack.enter_context(Mosquitto(settings="max_queued_messages 0"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, why in engines(stack, broker.port):
            if why:
                print(f"{name} is not here, so there is no figure beside it: {why}")
                TOPICS.pop(name)
        link = Link("bench-sender", broker.broker)
        link.start()
        stack.callback(link.stop)
        askers = {name: Asker(name, broker, link, OUT[name]) for name in TOPICS}
        for asker in askers.values():
            stack.callback(asker.close)
        wait_for("the sender's link", lambda: link.connected, 5)
        config, health = write_room(folder, broker.port)
        with running(config, health):
            tell_one_by_one(one_by_one(askers, folder / "page"))
        bursts: dict[str, list[Answers]] = {name: [] for name in TOPICS}
        for turn in range(rounds):
            for name, asker in askers.items():
                if name == OURS:
                    one = burst_of_ours(broker, link, asker, folder / f"burst{turn}")
                else:
                    one = burst_of_peer(link, asker, name)
                bursts[name].append(one)
        tell_bursts(bursts)


if __name__ == "__main__":
    main()
