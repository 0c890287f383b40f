"""The journal when its process is killed at any moment, and when the disk is full."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.journal import open_reader, verify

ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import os, sys
from pathlib import Path
from edge.journal import Journal
from tests.journal.rows import row

journal = Journal(Path(sys.argv[1]))
journal.start()
number = 0
while True:
    number += 1
    name = f"{journal.boot}-{number}\\n".encode()
    journal.append([row(number, name.strip())], lambda name=name: os.write(1, name))
    if number % 50 == 0:
        journal.flush(10)
"""

FULL = """
import resource, sys
from pathlib import Path
from edge.journal import Journal
from tests.journal.rows import row
from tests.world.waiting import until

path = Path(sys.argv[1])
told, released = [], []
journal = Journal(path, on_error=told.append)
journal.start()
journal.append([row(0)], lambda: released.append(0))
assert journal.flush(5)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
for number in range(1, 101):
    journal.append([row(number, b"x" * 10_000)], lambda number=number: released.append(number))
until(lambda: told)
assert not journal.flush(0.7)
assert journal.failing and len(told) == 1 and "free space" in told[0], told
durable = journal.head
assert released == list(range(durable)), (released, durable)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert journal.flush(10)
assert released == list(range(101)) and not journal.failing and len(told) == 1, told
resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
journal.append([row(101, b"x" * 10_000)], lambda: released.append(101))
journal.stop()
until(lambda: len(told) > 2)
assert len(told) == 3 and "1 rows are lost" in told[2], told
print("ok", journal.head)
"""


@pytest.mark.parametrize("seed", range(10))
def test_what_was_released_is_there_after_kill_9(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "journal.db"
    chance = random.Random(seed)
    released: list[str] = []
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        enough = chance.randint(1, 2000)
        lines = [process.stdout.readline() for _ in range(enough)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.wait(5)
        process.stdout.close()
        released += [line.decode().strip() for line in lines if line.endswith(b"\n")]
        assert len(released) >= enough
    with open_reader(path) as reader:
        bodies = [(stored.body or b"").decode() for stored in reader.read()]
    assert set(released) <= set(bodies)
    assert len(bodies) == len(set(bodies))
    found = verify(path)
    assert found.ok, found
    assert found.rows == len(bodies)


def test_a_full_disk_holds_everything_back_tells_once_and_is_caught_up(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    process = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert process.stdout.endswith("ok 101\n"), process.stderr
    assert verify(path).rows == 101
