"""GPUs are lent whole and to one machine at a time, with fake PCI devices in libvirt's test driver.

The test driver knows devices, machines and who holds what, and runs nothing: that a guest drives
the device is shown by nobody here.
"""

import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from cloud_bridge.types import Create, Machine, Template
from cloud_bridge.vms.base import VmError, VmFullError, VmRefusedError
from cloud_bridge.vms.domain import QEMU
from cloud_bridge.vms.gpus import Address, pick
from cloud_bridge.vms.image import Image
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from tests.cloud_bridge.service import new_key

GPU, PLAIN = "10de:2204", "10de:1eb8"
NODE = """<node><cpu><mhz>2000</mhz><model>x</model><active>2</active><nodes>1</nodes>
<sockets>1</sockets><cores>2</cores><threads>1</threads></cpu><memory>8388608</memory>{}</node>"""
DEVICE = """<device><name>pci_{bus}_{function}</name><parent>computer</parent>
<capability type='pci'><class>{kind}</class><domain>0</domain><bus>{bus}</bus><slot>0</slot>
<function>{function}</function><product id='0x{product}'>x</product>
<vendor id='0x{vendor}'>y</vendor>{group}</capability></device>"""
GROUP = "<iommuGroup number='{}'>{}</iommuGroup>"
MEMBER = "<address domain='0x0000' bus='0x{:02x}' slot='0x00' function='0x{:x}'/>"


def device(bus: int, function: int, of: str, kind: str, group: list[tuple[int, int]]) -> str:
    members = "".join(MEMBER.format(*each) for each in group)
    vendor, product = of.split(":")
    return DEVICE.format(
        bus=bus,
        function=function,
        vendor=vendor,
        product=product,
        kind=kind,
        group=GROUP.format(bus, members) if group else "",
    )


# Two cards with a sound function each, the second behind a bridge of its group; one outside.
HOST = [
    device(0x65, 0, GPU, "0x030200", [(0x65, 0), (0x65, 1)]),
    device(0x65, 1, "10de:1aef", "0x040300", [(0x65, 0), (0x65, 1)]),
    device(0x66, 0, GPU, "0x030200", [(0x66, 0), (0x66, 1), (0x05, 0)]),
    device(0x66, 1, "10de:1aef", "0x040300", [(0x66, 0), (0x66, 1), (0x05, 0)]),
    device(0x05, 0, "8086:2030", "0x060400", [(0x66, 0), (0x66, 1), (0x05, 0)]),
    device(0x67, 0, PLAIN, "0x030200", []),
]


class Rewriting:
    """The test driver with what it cannot read left out: QEMU's own arguments and its type."""

    def __init__(self, conn: "libvirt.virConnect") -> None:
        self._conn = conn

    def get(self) -> "Rewriting":
        return self

    def close(self) -> None:
        self._conn.close()

    def createXML(self, xml: str, flags: int) -> "libvirt.virDomain":  # noqa: N802 (libvirt's name)
        root = ET.fromstring(xml)
        root.set("type", "test")
        for each in root.findall(f"{{{QEMU}}}commandline"):
            root.remove(each)
        return self._conn.createXML(ET.tostring(root, encoding="unicode"), flags)

    def __getattr__(self, name: str) -> object:
        return getattr(self._conn, name)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator["libvirt.virConnect"]:
    node = tmp_path / "node.xml"
    node.write_text(NODE.format("".join(HOST)))
    opened = libvirt.open(f"test://{node}")
    yield opened
    opened.close()


@pytest.fixture
def provider(conn: "libvirt.virConnect", tmp_path: Path) -> LibvirtProvider:
    file = tmp_path / "kernel"
    file.touch()
    images = {
        "gpu": Image(file, file, "q35", gpu=GPU),
        "two": Image(file, file, "q35", gpu=GPU),
        "bare": Image(file, file, "q35", gpu=PLAIN),
        "none": Image(file, file, "q35", gpu="ffff:ffff"),
    }
    made = LibvirtProvider("test:///none", "ours", images, Limits(gpus=2), files=tmp_path / "f")
    made._connection = Rewriting(conn)  # type: ignore[assignment]
    return made


def create(provider: LibvirtProvider, template: str = "gpu", gpus: int = 1) -> Machine:
    spec = Create(new_key(), "m@x", ("aurora",), Template(template, 128, gpus=gpus), 2e9)
    return provider.ensure(spec)


def lent(conn: "libvirt.virConnect", key: str) -> set[str]:
    root = ET.fromstring(conn.lookupByUUIDString(key).XMLDesc(0))
    found = root.findall("devices/hostdev[@managed='yes']/source/address")
    return {f"{int(each.get('bus', ''), 16):x}.{each.get('function')}" for each in found}


def test_each_machine_has_a_card_of_its_own_with_all_that_goes_with_it(
    provider: LibvirtProvider, conn: "libvirt.virConnect"
) -> None:
    first, second = create(provider), create(provider)
    assert lent(conn, first.key) == {"65.0x0", "65.0x1"}
    assert lent(conn, second.key) == {"66.0x0", "66.0x1"}  # not the bridge
    with pytest.raises(VmFullError, match="0 of 2 are free"):
        create(provider)
    provider.delete(first.key)
    third = create(provider)
    assert lent(conn, third.key) == {"65.0x0", "65.0x1"}
    again = provider.ensure(
        Create(third.key, "m@x", ("aurora",), Template("gpu", 128, gpus=1), 2e9)
    )
    assert again.token == third.token


def test_a_stranger_that_holds_a_card_is_left_alone(
    provider: LibvirtProvider, conn: "libvirt.virConnect"
) -> None:
    conn.createXML(
        f"""<domain type='test'><name>theirs</name><memory>65536</memory><os><type>hvm</type></os>
        <devices><hostdev mode='subsystem' type='pci'><source>{MEMBER.format(0x65, 1)}</source>
        </hostdev></devices></domain>""",
        0,
    )
    assert lent(conn, create(provider).key) == {"66.0x0", "66.0x1"}
    with pytest.raises(VmFullError):
        create(provider)


def test_two_cards_for_one_machine_or_none(
    provider: LibvirtProvider, conn: "libvirt.virConnect"
) -> None:
    both = create(provider, "two", 2)
    assert lent(conn, both.key) == {"65.0x0", "65.0x1", "66.0x0", "66.0x1"}
    with pytest.raises(VmRefusedError, match="this host has 2"):
        create(provider, "two", 3)


def test_what_cannot_be_lent_says_what_to_do(
    provider: LibvirtProvider, conn: "libvirt.virConnect"
) -> None:
    with pytest.raises(VmRefusedError, match="IOMMU"):
        create(provider, "bare")
    with pytest.raises(VmRefusedError, match="this host has 0"):
        create(provider, "none")
    assert pick(conn, GPU, 1) == (Address(0, 0x65, 0, 0), Address(0, 0x65, 0, 1))
    assert str(Address(0, 0x65, 0, 1)) == "0000:65:00.1"


def test_many_at_once_never_share_a_card(
    provider: LibvirtProvider, conn: "libvirt.virConnect"
) -> None:
    made: list[Machine] = []
    refused: list[VmError] = []

    def make() -> None:
        try:
            made.append(create(provider))
        except VmError as error:
            refused.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(made), len(refused)) == (2, 6)
    assert all(isinstance(error, VmFullError) for error in refused)
    assert not lent(conn, made[0].key) & lent(conn, made[1].key)
