"""A real PulseAudio, spoken to directly and through ALSA, whose levels others change too."""

import signal
import subprocess

import pulsectl
import pytest

from edge.actuators.errors import DeviceLostError, DeviceRefusedError
from edge.actuators.mixer.alsa import AlsaBackend
from edge.actuators.mixer.port import MixerPort
from edge.actuators.mixer.pulse import PulseBackend
from edge.actuators.mixer.watcher import Watcher
from tests.actuators.device_room import DeviceRoom
from tests.world.pulse import PulseServer
from tests.world.waiting import until

NAMES = ("microphone.gain", "microphone.mute")


@pytest.fixture
def sound(monkeypatch):
    with PulseServer() as server:
        for name in ("PULSE_SERVER", "ALSA_CONFIG_PATH", "XDG_RUNTIME_DIR", "HOME"):
            monkeypatch.setenv(name, server.env[name])
        yield server


def pactl(sound, *words):
    command = ["pactl", *words]
    return subprocess.run(command, env=sound.env, check=True, capture_output=True, text=True).stdout


def percent(sound):
    return int(pactl(sound, "get-source-volume", "room.monitor").split("/")[1].strip(" %"))


def muted(sound):
    return pactl(sound, "get-source-mute", "room.monitor").split()[-1] == "yes"


def backend(way):
    if way == "alsa":
        pytest.importorskip("alsaaudio")
        return AlsaBackend("default", "Capture")
    return PulseBackend("default")


def room(stack, way="pulse", poll_s=30.0):
    """Polls so seldom that a change in time was told, not found."""
    port = MixerPort(backend(way), *NAMES, poll_s)
    world = DeviceRoom(stack, port, NAMES).start()
    port.changed = world.follower.poke
    return world


@pytest.mark.parametrize("way", ["pulse", "alsa"])
def test_gain_and_mute_are_set_and_told(stack, sound, way):
    world = room(stack, way)
    world.until_reported("microphone.gain", 100)
    world.apply("microphone.gain", 35)
    world.apply("microphone.mute", "on")
    world.until_reported("microphone.gain", 35)
    world.until_reported("microphone.mute", "on")
    assert (percent(sound), muted(sound)) == (35, True)
    world.apply("microphone.mute", "off")
    world.until_reported("microphone.mute", "off")
    assert not muted(sound)
    assert world.healths == [("ok", "")]


@pytest.mark.parametrize("way", ["pulse", "alsa"])
def test_what_others_set_is_told_and_then_brought_back(stack, sound, way):
    world = room(stack, way)
    world.apply("microphone.gain", 60)
    world.until_reported("microphone.gain", 60)
    pactl(sound, "set-source-volume", "room.monitor", "20%")
    until(lambda: 20 in world.reports("microphone.gain"))
    until(lambda: percent(sound) == 60, what="nobody took the change over")
    pactl(sound, "set-source-mute", "room.monitor", "1")
    world.until_reported("microphone.mute", "on")


def test_a_slider_in_somebodys_hand_is_told_where_it_stops(stack, sound):
    world = room(stack)
    world.until_reported("microphone.gain", 100)
    # As quickly as a hand does it: each a program of its own, a busy machine would rest in between.
    with pulsectl.Pulse("slider", server=sound.env["PULSE_SERVER"]) as other:
        source = other.get_source_by_name("room.monitor")
        for level in range(95, 40, -5):
            other.volume_set_all_chans(source, level / 100)
    world.until_reported("microphone.gain", 45)
    assert len(world.reports("microphone.gain")) < 6


def test_changes_are_told_once_the_hand_is_still():
    events = [True] * 40 + [False]
    calls = []

    def listen(_seconds):
        return events.pop(0) if events else False

    watcher = Watcher(listen, lambda: calls.append(len(events)))
    until(lambda: calls, what="a change is told")
    watcher.stop()
    assert calls == [0]
    assert watcher.ended


def test_what_somebody_set_and_the_room_made_its_own_is_not_written_again(stack, sound):
    world = room(stack)
    world.until_reported("microphone.gain", 100)
    pactl(sound, "set-source-volume", "room.monitor", "52%")
    world.until_reported("microphone.gain", 52)
    written = []
    write = world.port.write
    world.port.write = lambda *words: (written.append(words), write(*words))
    world.apply("microphone.gain", 52)
    world.apply("microphone.mute", "on")
    world.until_reported("microphone.mute", "on")
    assert written == [("microphone.mute", "on")]


def test_after_its_lease_others_may_set_it(stack, sound):
    world = room(stack)
    world.apply("microphone.mute", "on", 1500.0)
    world.until_reported("microphone.mute", "on")
    world.wall = 1501.0
    world.follower.poke()
    until(lambda: world.follower._desires.wait_s(0, 0) == float("inf"))
    pactl(sound, "set-source-mute", "room.monitor", "0")
    world.until_reported("microphone.mute", "off")
    assert not muted(sound)


@pytest.mark.parametrize("way", ["pulse", "alsa"])
def test_a_sound_server_that_restarts_is_told_again(stack, sound, way):
    world = room(stack, way, poll_s=0.5)
    world.apply("microphone.gain", 30)
    world.until_reported("microphone.gain", 30)
    sound.stop()
    world.until_health(lambda health, _reason: health == "lost")
    sound.start()
    until(lambda: percent(sound) == 30, 30)
    world.until_health(lambda health, _reason: health == "ok")


def test_a_sound_server_that_hangs_is_lost_and_found_again(stack, sound):
    world = room(stack, poll_s=0.2)
    world.until_health(lambda health, _reason: health == "ok")
    sound.process.send_signal(signal.SIGSTOP)
    try:
        world.until_health(lambda health, reason: health == "lost" and "PulseAudio" in reason)
    finally:
        sound.process.send_signal(signal.SIGCONT)
    world.until_health(lambda health, _reason: health == "ok")


def test_a_source_that_is_not_there_is_named(sound):
    for wrong, said in (
        (PulseBackend("nowhere"), "no source 'nowhere'"),
        (PulseBackend("default", "unix:/nowhere"), "no PulseAudio answers"),
        (AlsaBackend("default", "Treble"), "but Master, Capture"),
        (AlsaBackend("hw:7"), "no ALSA mixer 'hw:7'"),
    ):
        with pytest.raises(DeviceLostError, match=said):
            wrong.open(lambda: None)
        wrong.close()


def test_what_is_no_level_is_refused(sound):
    port = MixerPort(PulseBackend("default"), *NAMES, 1.0)
    port.open()
    for actuator, value in ((NAMES[0], "loud"), (NAMES[0], -1), (NAMES[0], 151), (NAMES[1], 1)):
        with pytest.raises(DeviceRefusedError):
            port.write(actuator, value)
    port.close()
