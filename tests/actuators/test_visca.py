"""A camera as a process of its own, which loses, doubles, delays, refuses and restarts."""

import socket
import struct
import threading
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.actuators.errors import DeviceLostError, DeviceRefusedError, UnknownRequestError
from edge.actuators.visca import frames
from edge.actuators.visca.camera import MOVE_S, CameraPort, CameraSettings
from edge.actuators.visca.link import ANSWER_S, UdpLink
from edge.actuators.visca.tcp import TcpLink
from tests.actuators.device_room import DeviceRoom
from tests.world.mosquitto import free_port
from tests.world.peer import Peer
from tests.world.waiting import until

PRESETS = {"home": 0, "table": 1, "presenter": 2}
PRIVACY = 9


class Remote:
    """The remote control in somebody's hand: its own socket, its own few bytes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 5)

    def say(self, message: bytes) -> bytes:
        self._socket.sendall(message)
        return self._reply()

    def _reply(self) -> bytes:
        reply = b""
        while not reply.endswith(b"\xff"):
            reply += self._socket.recv(1)
        return reply

    def recall(self, preset: int) -> None:
        assert self.say(b"\x81\x01\x04\x3f\x02" + bytes([preset]) + b"\xff")[1] & 0xF0 == 0x40
        assert self._reply()[1] & 0xF0 == 0x50

    def preset(self) -> int:
        return self.say(b"\x81\x09\x04\x3f\xff")[2]

    def on(self) -> bool:
        return self.say(b"\x81\x09\x04\x00\xff")[2] == 2


class Camera:
    """The simulated camera, on the same ports each time it is started."""

    def __init__(self, stack: ExitStack) -> None:
        self.udp, self.tcp = free_port(), free_port()
        self._stack = stack

    def start(self, *options: str) -> None:
        ports = (f"--udp={self.udp}", f"--tcp={self.tcp}")
        self._peer = self._stack.enter_context(Peer("tests.world.ptz", *ports, *options))
        until(self._answers, what="the camera answers")

    def stop(self) -> None:
        self._peer.kill()

    def _answers(self) -> bool:
        try:
            self.remote = Remote(self.tcp)
        except OSError:
            return False
        return True


@pytest.fixture
def camera(stack):
    return Camera(stack)


def room(stack, camera, way="udp", privacy=None, answer_s=ANSWER_S, follow_s=0.3):
    udp, tcp = ("127.0.0.1", camera.udp, answer_s), ("127.0.0.1", camera.tcp, answer_s)
    link = UdpLink(*udp) if way == "udp" else TcpLink(*tcp)
    settings = CameraSettings(PRESETS, "camera.preset", "camera.shutter", privacy, poll_s=0.1)
    actuators = ("camera.preset", "camera.shutter")
    return DeviceRoom(stack, CameraPort(link, settings), actuators, follow_s=follow_s).start()


@pytest.mark.parametrize("way", ["udp", "tcp"])
def test_a_preset_is_reported_once_the_camera_has_arrived(stack, camera, way):
    camera.start("--move-s=0.5")
    world = room(stack, camera, way)
    world.until_reported("camera.preset", "home")
    told, write = [], world.port.write
    world.port.write = lambda *words: (told.append(words), write(*words))
    world.apply("camera.preset", "table")
    world.until_reported("camera.preset", "table")
    assert camera.remote.preset() == PRESETS["table"]
    assert world.reports("camera.preset") == ["home", "table"]
    assert told == [("camera.preset", "table")], "where it is was asked before it was told again"
    assert world.health == "ok"


@pytest.mark.parametrize("way", ["udp", "tcp"])
def test_who_changes_the_mind_need_not_wait_for_the_camera_to_arrive(stack, camera, way):
    camera.start("--move-s=1.5")
    world = room(stack, camera, way)
    world.until_reported("camera.preset", "home")
    # The port's own questions go to the link, which serves one thread: only what it did is seen.
    moved, write = [], world.port.write
    world.port.write = lambda *words: (write(*words), moved.append(words))
    world.apply("camera.preset", "table")
    until(lambda: moved, what="it moves")
    world.apply("camera.preset", "presenter")
    world.until_reported("camera.preset", "presenter")
    assert world.reports("camera.preset") == ["home", "presenter"]
    assert world.health == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_over_a_network_that_loses_and_doubles_the_camera_still_follows(stack, camera, seed):
    camera.start("--loss=0.15", "--double=0.25", f"--seed={seed}")
    world = room(stack, camera)
    for name in ("table", "presenter", "home", "table"):
        world.apply("camera.preset", name)
        world.until_reported("camera.preset", name, 60)
        assert camera.remote.preset() == PRESETS[name]


def test_a_datagram_that_is_lost_is_said_again(camera):
    camera.start("--loss=0.2", "--seed=5")
    link = UdpLink("127.0.0.1", camera.udp, answer_s=0.1)
    until(lambda: not fails(link.open), what="a reset gets through")
    lost = sum(fails(lambda: link.ask(frames.ASK_POWER)) for _ in range(60))
    link.close()
    assert lost < 12, "of 60 questions, where each datagram is lost once in five times"


def fails(ask):
    try:
        ask()
    except DeviceLostError:
        return True
    return False


@pytest.mark.parametrize("way", ["udp", "tcp"])
def test_a_camera_that_restarts_is_told_again(stack, camera, way):
    camera.start()
    world = room(stack, camera, way)
    world.apply("camera.preset", "presenter")
    world.until_reported("camera.preset", "presenter")
    camera.stop()
    world.until_health(lambda health, reason: health == "lost" and "127.0.0.1" in reason)
    camera.start()
    until(lambda: camera.remote.preset() == PRESETS["presenter"], 30)
    world.until_health(lambda health, _reason: health == "ok")


def test_a_restart_too_quick_to_be_noticed_begins_a_new_count(stack, camera):
    camera.start()
    world = room(stack, camera)
    world.apply("camera.preset", "presenter")
    world.until_reported("camera.preset", "presenter")
    camera.stop()
    camera.start()
    world.apply("camera.preset", "table")
    until(lambda: camera.remote.preset() == PRESETS["table"], 30)
    world.until_reported("camera.preset", "table")


def test_standby_is_the_shutter_and_no_preset_opens_it(stack, camera):
    camera.start("--wake-s=0.5")
    world = room(stack, camera)
    world.apply("camera.shutter", "closed")
    world.until_reported("camera.shutter", "closed")
    assert not camera.remote.on()
    world.apply("camera.preset", "table")
    world.apply("camera.shutter", "closed", 3000.0)
    assert world.port.busy("camera.preset", "table")
    world.apply("camera.shutter", "open")
    world.until_reported("camera.shutter", "open")
    world.until_reported("camera.preset", "table")
    assert world.healths == [("ok", "")], "waking up is no fault"


def test_a_privacy_preset_is_the_shutter_and_no_preset_opens_it(stack, camera):
    camera.start()
    world = room(stack, camera, privacy=PRIVACY)
    world.until_reported("camera.preset", "home")
    world.apply("camera.preset", "table")
    world.until_reported("camera.preset", "table")
    world.apply("camera.shutter", "closed")
    world.until_reported("camera.shutter", "closed")
    world.apply("camera.preset", "presenter")
    until(lambda: world.port.busy("camera.preset", "presenter"))
    assert camera.remote.preset() == PRIVACY
    world.apply("camera.shutter", "open")
    world.until_reported("camera.preset", "presenter")
    world.until_reported("camera.shutter", "open")
    assert world.reports("camera.preset") == ["home", "table", "presenter"]


def test_an_opened_shutter_shows_the_room_even_if_nobody_wants_a_preset(stack, camera):
    camera.start()
    world = room(stack, camera, privacy=PRIVACY)
    world.apply("camera.shutter", "closed")
    world.until_reported("camera.shutter", "closed")
    world.apply("camera.shutter", "open")
    world.until_reported("camera.shutter", "open")
    assert camera.remote.preset() == PRESETS["home"]


def test_a_camera_that_is_closed_at_the_start_is_not_opened_by_a_preset(stack, camera):
    camera.start()
    camera.remote.recall(PRIVACY)
    world = room(stack, camera, privacy=PRIVACY)
    world.apply("camera.preset", "table")
    world.until_reported("camera.shutter", "closed")
    assert world.port.busy("camera.preset", "table")
    assert camera.remote.preset() == PRIVACY
    world.apply("camera.shutter", "open")
    world.until_reported("camera.preset", "table")


def test_what_a_remote_control_does_is_reported_before_it_is_undone(stack, camera):
    camera.start()
    # Time enough for this test to take the second change over, as the room does at once.
    world = room(stack, camera, follow_s=2.0)
    world.apply("camera.preset", "home")
    world.until_agreed()
    camera.remote.recall(PRESETS["table"])
    until(lambda: "table" in world.reports("camera.preset"))
    until(lambda: camera.remote.preset() == PRESETS["home"], what="nobody took the change over")
    world.until_agreed()
    camera.remote.recall(PRESETS["table"])
    until(lambda: world.reports("camera.preset").count("table") == 2)
    world.apply("camera.preset", "table")
    world.apply("camera.shutter", "closed")
    world.until_reported("camera.shutter", "closed")
    assert world.reported("camera.preset") == "table"


def test_after_its_lease_the_camera_stays_and_others_may_move_it(stack, camera):
    camera.start()
    world = room(stack, camera)
    world.apply("camera.preset", "table", 1500.0)
    world.until_reported("camera.preset", "table")
    world.wall = 1501.0
    world.follower.poke()
    until(lambda: world.follower._desires.wait_s(0, 0) == float("inf"))
    camera.remote.recall(PRESETS["presenter"])
    world.until_reported("camera.preset", "presenter")
    assert camera.remote.preset() == PRESETS["presenter"]


def test_a_camera_that_cannot_be_asked_for_its_preset_is_believed(stack, camera):
    camera.start("--no-memory")
    world = room(stack, camera)
    world.apply("camera.preset", "table")
    world.until_reported("camera.preset", "table")
    assert world.healths == [("ok", "")]


class Mute:
    """A camera that begins to move and never says that it is done, unless `carried_out`.

    Asked for its preset it answers `answer`, or raises that.
    """

    def __init__(self) -> None:
        self.answer: bytes | Exception = bytes([PRESETS["home"]])
        self.carried_out = False

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def ask(self, message: bytes) -> bytes:
        if message != frames.ASK_PRESET:
            return b"\x02"
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def command(self, _message: bytes) -> int:
        return 1

    def done(self, _ticket: int) -> bool:
        return self.carried_out


@pytest.mark.parametrize(
    ("carried_out", "answer", "told"),
    [
        (True, bytes([PRESETS["table"]]), "table"),
        (True, DeviceRefusedError("not now"), "table"),
        (True, UnknownRequestError("no such question"), "table"),
        (False, bytes([PRESETS["table"]]), "table"),
        (False, bytes([PRESETS["home"]]), "home"),
        (False, DeviceRefusedError("not now"), None),
        (False, UnknownRequestError("no such question"), None),
    ],
)
def test_where_a_camera_looks_after_a_move_is_what_it_says_or_was_done(carried_out, answer, told):
    now, link = [0.0], Mute()
    camera = CameraPort(link, CameraSettings(PRESETS, "camera.preset"), lambda: now[0])
    camera.open()
    assert camera.read() == {"camera.preset": "home"}
    camera.write("camera.preset", "table")
    assert camera.read() == {}, "on its way"
    link.carried_out, link.answer = carried_out, answer
    now[0] += MOVE_S
    assert camera.read() == {"camera.preset": told}


def test_a_value_that_is_no_preset_is_refused_by_name(stack, camera):
    camera.start()
    world = room(stack, camera)
    world.apply("camera.preset", "ceiling")
    world.until_health(lambda h, reason: h == "degraded" and "home, table, presenter" in reason)
    world.apply("camera.preset", "home")
    world.until_health(lambda health, _reason: health == "ok")


def test_a_camera_that_sends_rubbish_is_lost_not_believed(stack):
    with rubbish() as port:
        link = UdpLink("127.0.0.1", port, answer_s=0.05)
        with pytest.raises(DeviceLostError, match="VISCA over IP"):
            link.open()
        link.close()


@contextmanager
def rubbish():
    """A UDP peer that answers everything with everything but VISCA."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(0.05)
    stop = threading.Event()
    answers = [
        b"", b"\xff" * 2000, b"\x02\x01\x00\x10\x00\x00\x00\x00\x01", b"\x01\x11" + b"\x00" * 6,
        struct.pack(">HHI", 0x0111, 3, 0) + b"\x90\x41\xff",
    ]  # fmt: skip

    def run():
        while not stop.is_set():
            try:
                _, peer = server.recvfrom(2048)
            except TimeoutError:
                continue
            for answer in answers * 50:
                server.sendto(answer, peer)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        server.close()


def test_replies_as_the_manual_has_them():
    assert frames.parse(b"\x90\x41\xff") == frames.Reply("ack", 1)
    assert frames.parse(b"\x90\x52\xff") == frames.Reply("done", 2)
    assert frames.parse(b"\x90\x50\x02\xff") == frames.Reply("answer", 0, b"\x02")
    assert frames.parse(b"\x90\x61\x41\xff") == frames.Reply("refused", 1, code=0x41)
    assert frames.pack(frames.COMMAND, 7, frames.recall(5)) == bytes.fromhex(
        "0100 0007 00000007 81 01 04 3f 02 05 ff"
    )


@given(st.binary(max_size=64))
def test_no_bytes_break_the_parser(data):
    found = frames.unpack(data)
    if found is not None:
        assert frames.unpack(frames.pack(*found[:2], found[2])) == found
    reply = frames.parse(data)
    assert reply is None or reply.reason
    stream = frames.Stream()
    for message in stream.feed(data):
        assert len(message) <= frames.MESSAGE_LIMIT
        assert message.count(b"\xff") == 1


@given(st.binary(max_size=200), st.integers(1, 9))
def test_a_stream_is_cut_the_same_however_it_arrives(data, size):
    whole, pieces = frames.Stream(), frames.Stream()
    short = whole.feed(data)
    cut = [m for i in range(0, len(data), size) for m in pieces.feed(data[i : i + size])]
    assert short == [m for m in cut if len(m) <= frames.MESSAGE_LIMIT]
