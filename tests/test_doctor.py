"""doctor looks at real brokers, a real calendar and real files, and says what to do."""

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge import doctor
from edge.config import load_room
from edge.config_devices import (
    BacnetDeviceSection,
    BacnetSection,
    CecSection,
    ViscaSection,
)
from edge.config_schema import ActuatorSection
from edge.doctor import examine
from tests.world.mosquitto import Mosquitto, free_port
from tests.world.peer import Peer
from tests.world.pulse import PulseServer
from tests.world.servers import Radicale
from tests.world.waiting import until

ROOT = Path(__file__).parents[1]


@pytest.fixture
def room(tmp_path):
    """The shipped room, with a journal of its own, whose servers are away."""
    config = load_room(ROOT / "config/room.toml")
    config = with_(config, "journal", path=str(tmp_path / "room.journal"))
    config = with_(config, "calendar", url=f"http://127.0.0.1:{free_port()}/a/", username="")
    config = with_(config, "broker", port=free_port())
    return with_(config, "site", port=free_port())


def with_(config, section, **changes):
    part = msgspec.structs.replace(getattr(config, section), **changes)
    return msgspec.structs.replace(config, **{section: part})


def one(config, check):
    (finding,) = check(config)
    assert finding.ok or finding.advice, "what is wrong comes with what to do"
    return finding


def test_a_room_whose_servers_are_away_is_told_which_and_what_to_do(room):
    found = {f.name.split(" ")[0]: f for f in examine(room)}
    assert {"camera", "microphone", "broker", "site", "calendar", "clock", "disk"} <= set(found)
    for name in ("broker", "site", "calendar"):
        assert not found[name].ok
        assert f"[{name}]" in found[name].advice


def test_a_policy_that_cannot_be_used_is_named_with_what_still_acts(room, tmp_path):
    assert one(room, doctor.policy).ok
    for text, said in [("permit(", "unexpected"), ("permit(principal, action, resource);", "@id")]:
        path = tmp_path / "own.cedar"
        path.write_text(text)
        found = one(with_(room, "policy", file=str(path)), doctor.policy)
        assert not found.ok
        assert said in found.detail
        assert "schedule and safety" in found.advice


def test_a_check_that_fails_itself_does_not_hide_the_others(room, monkeypatch):
    def broken(_config):
        raise RuntimeError("surprise")
        yield

    monkeypatch.setattr(doctor, "CHECKS", (broken, doctor.disk))
    first, second = examine(room)
    assert (first.name, first.ok) == ("broken", False)
    assert "surprise" in first.detail
    assert (second.name, second.ok) == ("disk", True)


def test_a_broker_that_accepts_and_one_that_wants_a_password(room, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("right\n")
    secret.chmod(0o600)
    with Mosquitto() as open_broker, Mosquitto(users={"room": "right"}) as closed:
        config = with_(room, "broker", port=open_broker.port)
        config = with_(config, "site", port=closed.port)
        opened, refused = doctor.brokers(config)
        assert opened.ok
        assert not refused.ok
        assert "password_file" in refused.advice
        config = with_(config, "site", username="room", password_file=str(secret))
        assert all(finding.ok for finding in doctor.brokers(config))


def test_a_calendar_that_answers_and_one_that_refuses(room, tmp_path):
    secret = tmp_path / "secret"
    with Radicale() as server:
        secret.write_text(server.password)
        secret.chmod(0o600)
        known = {"username": server.user, "password_file": str(secret)}
        finding = one(with_(room, "calendar", url=server.url, **known), doctor.calendar)
        assert finding.ok
        assert "holds 0 events" in finding.detail
        secret.write_text("wrong")
        finding = one(with_(room, "calendar", url=server.url, **known), doctor.calendar)
        assert not finding.ok
        assert "refuses" in finding.detail


@pytest.mark.parametrize("check", [doctor.camera, doctor.microphone])
def test_a_device_is_none_or_wrong_or_right(room, tmp_path, check):
    section = check.__name__
    assert one(room, check).detail == "none configured"
    nonsense = tmp_path / "nonsense.wav"
    nonsense.write_bytes(b"nothing to see or hear")
    finding = one(with_(room, section, device=str(nonsense)), check)
    assert not finding.ok
    assert "nonsense.wav" in finding.detail


def test_a_sound_file_is_a_microphone(room, tmp_path):
    import numpy as np
    import soundfile

    path = tmp_path / "tone.wav"
    soundfile.write(path, np.zeros(16000, dtype=np.int16), 16000)
    finding = one(with_(room, "microphone", device=str(path)), doctor.microphone)
    assert finding.ok
    assert "16000 samples/s" in finding.detail


def test_a_picture_file_is_a_camera(room, tmp_path):
    import cv2
    import numpy as np

    path = tmp_path / "clip.avi"
    clip = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 2, (64, 48))
    for _ in range(4):
        clip.write(np.zeros((48, 64, 3), dtype=np.uint8))
    clip.release()
    finding = one(with_(room, "camera", device=str(path)), doctor.camera)
    assert finding.ok
    assert "64 x 48" in finding.detail


def test_the_models_that_ship_are_as_listed_and_a_changed_one_is_not(room, tmp_path):
    found = list(doctor.model_files(room))
    assert found
    assert all(finding.ok for finding in found)
    for name in ("movenet_multipose.tflite", "SHA256SUMS"):
        shutil.copy(ROOT / "edge/models" / name, tmp_path)
    path = tmp_path / "movenet_multipose.tflite"
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"\0changed")
    *_, last = doctor.model_files(with_(room, "models", people=str(path)))
    assert not last.ok


def test_the_journal_needs_a_folder_and_room(room, tmp_path, monkeypatch):
    assert one(room, doctor.disk).ok
    missing = tmp_path / "gone" / "room.journal"
    finding = one(with_(room, "journal", path=str(missing)), doctor.disk)
    assert "mkdir -p" in finding.advice
    monkeypatch.setattr(doctor, "FREE_BYTES", 1 << 60)
    assert "MB free" in one(room, doctor.disk).detail
    assert not one(room, doctor.disk).ok


def test_a_plugin_that_ships_is_trusted_and_one_that_was_changed_is_not(room, tmp_path):
    assert all(finding.ok for finding in doctor.plugins(room))
    shutil.copytree(ROOT / "wasm_modules/lights", tmp_path / "lights")
    module = tmp_path / "lights/lights.wasm"
    module.write_bytes(module.read_bytes() + b"\0")
    config = with_(room, "plugins", folder=str(tmp_path), enabled=("lights",))
    finding = one(config, doctor.plugins)
    assert not finding.ok
    assert "sha256" in finding.detail


def test_the_clock_is_vouched_for_by_somebody(room, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "kernel_synchronised", lambda: False)
    monkeypatch.setattr(doctor, "MARKER", tmp_path / "marker")
    monkeypatch.setattr(doctor, "RTC", tmp_path / "rtc")
    assert not one(room, doctor.clock).ok
    assert one(with_(room, "clock", always_trust=True), doctor.clock).ok
    (tmp_path / "rtc").touch()
    assert "clock chip" in one(room, doctor.clock).detail
    (tmp_path / "marker").touch()
    assert "network time" in one(room, doctor.clock).detail


def test_a_ptz_camera_that_answers_and_one_that_does_not(room):
    port = free_port()
    table = ViscaSection("ptz", "127.0.0.1", port=port, presets={"home": 0})
    row = ActuatorSection("camera.preset", "visca", "ptz", "preset", values=("home",))
    config = msgspec.structs.replace(room, visca=(table,), actuators=(row,))
    assert not one(config, doctor.devices).ok
    with Peer("tests.world.ptz", f"--udp={port}"):
        until(lambda: one(config, doctor.devices).ok, what="the camera answers")
    unused = msgspec.structs.replace(room, visca=(table,), actuators=())
    assert list(doctor.devices(unused)) == []


def test_a_microphone_that_can_be_set_and_one_that_is_not_there(room, monkeypatch):
    row = ActuatorSection("microphone.mute", "mixer", "default", "mute", values=("on", "off"))
    config = msgspec.structs.replace(room, actuators=(row,))
    with PulseServer() as sound:
        monkeypatch.setenv("PULSE_SERVER", sound.env["PULSE_SERVER"])
        assert one(config, doctor.devices).ok
        sound.stop()
        assert not one(config, doctor.devices).ok


def test_a_controller_is_asked_for_the_objects_of_the_room(room):
    port = free_port()
    section = BacnetSection(
        f"127.0.0.1/32:{free_port()}",
        devices=(BacnetDeviceSection("ahu", f"127.0.0.2:{port}"),),
    )

    def looked(part):
        row = ActuatorSection("climate.setpoint", "bacnet", "ahu", part, max=30.0)
        config = msgspec.structs.replace(room, bacnet=section, actuators=(row,))
        return one(config, doctor.devices)

    assert "does not answer" in looked("analog-value,1").detail
    with Peer("tests.world.bacnet_device", f"--port={port}"):
        until(lambda: looked("analog-value,1").ok, what="the controller answers")
        assert "takes 16 priorities" in looked("analog-value,1").detail
        assert "unknown-object" in looked("analog-value,77").detail
        assert not looked("analog-value,9").ok, "read-only"


def test_a_room_without_a_cec_adapter_is_told_what_to_look_for(room, tmp_path):
    row = ActuatorSection("display.power", "cec", "wall", "power", values=("on", "off"))
    config = msgspec.structs.replace(room, actuators=(row,), cec=CecSection("/dev/cec99"))
    finding = one(config, doctor.devices)
    assert not finding.ok
    assert "/dev/cec99" in finding.detail


def test_devices_on_the_rooms_broker_are_asked_how_they_are(room):
    with Mosquitto() as broker:
        config = with_(room, "broker", port=broker.port)
        silent, _ = doctor.broker_devices(config)
        assert "said nothing" in silent.detail
        assert "devices discover" in silent.advice
        line = [sys.executable, "-m", "tests.world.devices", f"--port={broker.port}"]
        process = subprocess.Popen([*line, "--device=light-main"], cwd=ROOT)
        try:
            until(lambda: next(iter(doctor.broker_devices(config))).detail == "is 0", 30)
        finally:
            process.kill()
            process.wait()
        until(lambda: "offline" in next(iter(doctor.broker_devices(config))).detail)
