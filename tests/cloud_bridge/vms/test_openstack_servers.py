"""What Nova tells of a server, as a machine: addresses, phases, tags. No cloud is needed."""

import dataclasses

import msgspec
import pytest

from cloud_bridge.vms.openstack_api import Server, means_full
from cloud_bridge.vms.openstack_server import machine_of, rank, stranger
from cloud_bridge.vms.openstack_tag import Tag, lease_of, metadata_of, read_tag

TAG = Tag("ours", "k", "m", ("aurora", "b c"), "small", 2e9, 1.5, 300.0, "t", 8080)


def told(**more: object) -> Server:
    """Return a server from JSON as Nova sends it, with what is not looked at."""
    base = {"id": "1", "status": "ACTIVE", "created": "2026-01-01T00:00:00Z", "tenant_id": "p"}
    return msgspec.json.decode(msgspec.json.encode({**base, **more}), type=Server)


def address(addr: str, version: int = 4, kind: str = "fixed") -> dict[str, object]:
    return {
        "addr": addr,
        "version": version,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": "",
    }


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ({}, ""),
        ({"a": [address("10.0.0.4")]}, "10.0.0.4:8080"),
        ({"a": [address("fd00::4", 6), address("10.0.0.4")]}, "10.0.0.4:8080"),
        ({"a": [address("fd00::4", 6)]}, "[fd00::4]:8080"),
        ({"a": [address("10.0.0.4"), address("192.0.2.9", 4, "floating")]}, "192.0.2.9:8080"),
    ],
)
def test_the_address_is_the_one_that_is_best_reached(
    addresses: dict[str, object], expected: str
) -> None:
    assert machine_of(told(addresses=addresses), TAG).address == expected


@pytest.mark.parametrize(
    ("status", "task", "phase"),
    [
        ("BUILD", "scheduling", "booting"),
        ("ACTIVE", None, "booting"),
        ("REBOOT", "rebooting", "booting"),
        ("ACTIVE", "deleting", "ending"),
        ("ERROR", "deleting", "ending"),
        ("SOFT_DELETED", None, "ending"),
        ("ERROR", None, "dead"),
        ("SHUTOFF", None, "dead"),
    ],
)
def test_the_phase_is_told_by_status_and_task(status: str, task: str | None, phase: str) -> None:
    server = told(status=status, **{"OS-EXT-STS:task_state": task})
    assert machine_of(server, TAG).phase == phase
    assert not stranger(server).ours


def test_a_failed_server_says_why() -> None:
    server = told(status="ERROR", fault={"message": "No valid host was found. ", "code": 500})
    assert "No valid host" in machine_of(server, TAG).detail
    assert means_full(server.fault.message)
    assert not means_full("Build of instance aborted")


def test_of_several_the_living_elder_counts() -> None:
    servers = [
        told(id="a", status="ACTIVE", **{"OS-EXT-STS:task_state": "deleting"}),
        told(id="b", status="ERROR"),
        told(id="d", created="2026-01-01T00:00:01Z"),
        told(id="e"),
        told(id="c"),
    ]
    assert [each.id for each in sorted(servers, key=rank)] == ["c", "e", "d", "b", "a"]


def test_a_tag_comes_back_as_it_was_written() -> None:
    for meeting in ("", "m", "ä/%\U0001f389 " * 60):
        tag = dataclasses.replace(TAG, meeting=meeting)
        metadata = metadata_of(tag)
        assert all(len(key) <= 255 and len(value) <= 255 for key, value in metadata.items())
        assert "".join(metadata.values()).isascii()
        assert read_tag(metadata) == tag
        assert read_tag({**metadata, **lease_of(5.0)}) == dataclasses.replace(tag, until=5.0)
    with pytest.raises(ValueError, match="meeting has more"):
        metadata_of(dataclasses.replace(TAG, meeting="x" * 5000))


@pytest.mark.parametrize("spoilt", ["until", "key", "owner", "port", "meeting.0", "rooms.0"])
def test_what_is_half_tagged_is_nobody_s_of_ours(spoilt: str) -> None:
    metadata = metadata_of(TAG)
    del metadata[f"roomkeeper.{spoilt}"]
    assert read_tag(metadata) is None
    assert read_tag({**metadata_of(TAG), "roomkeeper.until": "soon"}) is None
