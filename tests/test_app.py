"""The room as its supervisor sees it: everything away at start, health page, clean end."""

import json
import signal
import subprocess
import urllib.request

import pytest

from edge.journal import open_reader, verify
from tests.world.bare import LAMP, NOTHING_TO_SEE, run_line, write_bare
from tests.world.mosquitto import free_port
from tests.world.places import BIN, ROOT
from tests.world.waiting import until, within

OWN = """
[plugins]
folder = "plugins"
keys = "{root}/config/keys"
enabled = ["lights"]
[panel]
port = {panel}
theme = "{root}/config/theme"
"""


@pytest.fixture
def alone(tmp_path):
    """A room whose brokers, calendar, camera, microphone and plugin are all away or broken."""
    ports = {"health": free_port(), "panel": free_port()}
    (tmp_path / "plugins").mkdir()
    own = OWN.format(root=ROOT, panel=ports["panel"])
    config, _ = write_bare(
        tmp_path, LAMP, NOTHING_TO_SEE, own, nodes=["board"], health=ports["health"]
    )
    log = (tmp_path / "edge.log").open("w")
    process = subprocess.Popen(run_line(config), stderr=log)
    yield process, ports, tmp_path
    process.kill()
    process.wait()
    log.close()


def page(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status, answer.read().decode()
    except OSError as error:
        return 0, str(error)


def test_a_room_alone_says_what_is_missing_and_goes_on(alone):
    process, ports, folder = alone
    missing = {"broker:room", "broker:site", "calendar", "camera", "microphone", "plugin:lights"}

    def told() -> bool:
        status, body = page(ports["health"], "/healthz")
        return status == 200 and missing <= set(json.loads(body)["unhealthy"])

    until(told, 20, (folder / "edge.log").read_text())
    status, metrics = page(ports["health"], "/metrics")
    assert status == 200
    assert "roomkeeper_signals_total" in metrics
    status, panel = page(ports["panel"], "/")
    assert status == 200
    assert "alone" in panel
    assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_within_two_seconds(alone, number):
    process, ports, folder = alone
    until(lambda: page(ports["health"], "/healthz")[0] == 200, 20)
    with within(2.0):
        process.send_signal(number)
        assert process.wait(10) == 0, (folder / "edge.log").read_text()
    assert verify(folder / "room.journal").ok
    assert not (folder / "room.journal.lock").exists()


def test_a_room_that_cannot_start_ends_instead_of_hanging(alone):
    process, ports, folder = alone
    until(lambda: page(ports["health"], "/healthz")[0] == 200, 20)
    twin = folder / "twin.toml"
    text = (folder / "room.toml").read_text()
    twin.write_text(text.replace('"room.journal"', '"twin.journal"'))
    done = subprocess.run(
        [str(BIN / "roomkeeper-edge"), "run", str(twin)],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert process.poll() is None


def test_a_restart_goes_on_where_it_was(alone):
    process, ports, folder = alone

    def boots() -> list[int]:
        with open_reader(folder / "room.journal") as reader:
            return [row.boot for row in reader.read() if row.kind == "boot"]

    until(lambda: page(ports["health"], "/healthz")[0] == 200, 20)
    until(lambda: boots() == [1])
    process.kill()
    process.wait()
    again = subprocess.Popen(
        [str(BIN / "roomkeeper-edge"), "run", str(folder / "room.toml")], stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: page(ports["health"], "/healthz")[0] == 200, 20)
        until(lambda: boots() == [1, 2])
    finally:
        again.terminate()
        assert again.wait(5) == 0
    done = subprocess.run(
        [str(BIN / "roomkeeper-edge"), "replay", str(folder / "room.journal")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
