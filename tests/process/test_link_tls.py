"""The link over TLS: both sides prove who they are, and neither settles for less."""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.process.link import Broker
from edge.process.session import Session
from tests.process.test_link import Peer
from tests.world.certificates import authority, signed
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until

ACL = "pattern readwrite room/%u/#\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority(tmp_path)
    return tmp_path


@pytest.fixture
def broker(folder: Path) -> Iterator[Mosquitto]:
    certificate, key = signed(folder, "site")
    settings = (
        f"cafile {folder / 'ca.pem'}\ncertfile {certificate}\nkeyfile {key}\n"
        "require_certificate true\nuse_identity_as_username true"
    )
    with Mosquitto(settings=settings, acl=ACL) as running:
        yield running


def as_room(broker: Mosquitto, folder: Path, name: str = "r1", ca: str = "ca.pem") -> Broker:
    certificate, key = signed(folder, name)
    return Broker(
        "127.0.0.1", broker.port, ca=str(folder / ca), cert=str(certificate), key=str(key)
    )


def test_a_room_with_its_certificate_is_let_in_as_itself(broker: Mosquitto, folder: Path) -> None:
    codes: list[int] = []
    with Peer("r1", as_room(broker, folder), "room/r1/a") as room:
        room.up()
        assert room.link.publish("room/r2/a", b"not mine", on_ack=codes.append)
        assert room.link.publish("room/r1/a", b"mine", on_ack=codes.append)
        until(lambda: room.payloads() == [b"mine"] and len(codes) == 2)
        assert codes[0] >= 0x80


def test_without_a_certificate_nobody_is_let_in(broker: Mosquitto, folder: Path) -> None:
    bare = Broker("127.0.0.1", broker.port, ca=str(folder / "ca.pem"))
    with Peer("bare", bare) as peer:
        until(lambda: peer.health)
        assert peer.health[0][0] == "lost"


def test_a_broker_of_another_authority_is_not_believed(
    broker: Mosquitto, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = authority(tmp_path_factory.mktemp("other"))
    known = as_room(broker, folder)
    doubting = Broker(known.host, known.port, ca=str(other), cert=known.cert, key=known.key)
    with Peer("doubting", doubting) as peer:
        until(lambda: peer.health)
        assert "certificate" in peer.health[0][1].lower()


def test_a_certificate_file_that_is_not_there_is_told_as_lost(broker: Mosquitto) -> None:
    absent = Broker("127.0.0.1", broker.port, ca="/nowhere/ca.pem")
    with Peer("absent", absent) as peer:
        until(lambda: peer.health)
        assert "No such file" in peer.health[0][1]


def test_a_certificate_that_is_none_costs_nothing_however_often_it_is_tried(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("half a certificate")
    broker = Broker("127.0.0.1", 9, ca=str(tmp_path / "ca.pem"))

    def attempt() -> None:
        with pytest.raises(ssl.SSLError):
            Session("s", broker, None, list, print, print, print)

    attempt()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        attempt()
    assert len(os.listdir("/proc/self/fd")) == before
