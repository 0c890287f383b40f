"""A machine as libvirt's domain XML, and back: lease, key and tag live in its metadata."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from cloud_bridge.types import Create, Machine, Phase
from cloud_bridge.vms.accel import Accel
from cloud_bridge.vms.egress import GUEST, endpoints
from cloud_bridge.vms.files import domain_uuid
from cloud_bridge.vms.gpus import Address
from cloud_bridge.vms.hardware import devices, lent, text
from cloud_bridge.vms.image import Image, Local

__all__ = ["Host", "Image", "Local", "Tag", "domain_name", "domain_uuid", "domain_xml"]

NAMESPACE = "urn:roomkeeper:machine:1"
PREFIX = "roomkeeper"
QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"

ET.register_namespace("qemu", QEMU)
ET.register_namespace(PREFIX, NAMESPACE)


@dataclass(frozen=True, slots=True)
class Host:
    """How guests run here. tsc_khz: 0 leaves the guest to find out (KVM)."""

    accel: Accel
    emulator: str
    tsc_khz: int = 0


@dataclass(frozen=True, slots=True)
class Tag:
    """What is written on a machine. owner: the service that made it; times: wall seconds."""

    owner: str
    key: str
    meeting: str
    rooms: tuple[str, ...]
    template: str
    until: float
    created: float
    grace_s: float
    memory_mib: int
    port: int
    token: str


def domain_name(key: str) -> str:
    """Return the domain's name."""
    return f"{PREFIX}-{domain_uuid(key)}"


def tag_xml(tag: Tag) -> str:
    """Return the metadata element without its namespace, which libvirt adds."""
    return ET.tostring(ET.Element("machine", _texts(tag)), encoding="unicode")


def _texts(tag: Tag) -> dict[str, str]:
    return {
        "owner": tag.owner,
        "key": tag.key,
        "meeting": tag.meeting,
        "rooms": " ".join(quote(room, safe="") for room in tag.rooms),
        "template": tag.template,
        "until": repr(tag.until),
        "created": repr(tag.created),
        "grace": repr(tag.grace_s),
        "memory": str(tag.memory_mib),
        "port": str(tag.port),
        "token": tag.token,
    }


def read_tag(text: str) -> Tag | None:
    """Return what the metadata element says, or None when it is not one of ours."""
    try:
        element = ET.fromstring(text)  # noqa: S314 (libvirt's own output)
        get = element.attrib.__getitem__
        return Tag(
            get("owner"),
            get("key"),
            get("meeting"),
            tuple(unquote(room) for room in get("rooms").split()),
            get("template"),
            float(get("until")),
            float(get("created")),
            float(get("grace")),
            int(get("memory")),
            int(get("port")),
            get("token"),
        )
    except (ET.ParseError, KeyError, ValueError):
        return None


def machine_of(tag: Tag, phase: Phase, detail: str = "") -> Machine:
    """Return the machine a tag describes, as ours."""
    return Machine(
        key=tag.key,
        meeting=tag.meeting,
        rooms=tag.rooms,
        template=tag.template,
        phase=phase,
        until=tag.until,
        created=tag.created,
        memory_mib=tag.memory_mib,
        grace_s=tag.grace_s,
        address=f"127.0.0.1:{tag.port}",
        token=tag.token,
        detail=detail,
    )


def domain_xml(
    spec: Create,
    tag: Tag,
    image: Image,
    host: Host,
    local: Local | None = None,
    gpus: tuple[Address, ...] = (),
) -> str:
    """Return the domain: one network that leads where `image.egress` says, or nowhere.

    local: what it has of its own on this host; gpus: the host's devices it gets for itself.
    """
    local = local or Local()
    root = ET.Element("domain", type="kvm" if host.accel == "kvm" else "qemu")
    text(root, "name", domain_name(spec.key))
    text(root, "uuid", domain_uuid(spec.key))
    ET.SubElement(ET.SubElement(root, "metadata"), f"{{{NAMESPACE}}}machine", _texts(tag))
    text(root, "memory", str(spec.template.memory_mib), unit="MiB")
    if not image.ksm:
        ET.SubElement(ET.SubElement(root, "memoryBacking"), "nosharepages")
    text(root, "vcpu", str(spec.template.vcpus))
    system = ET.SubElement(root, "os")
    text(system, "type", "hvm", arch="x86_64", machine=image.board)
    if image.own_loader:
        ET.SubElement(system, "boot", dev="hd")
    else:
        text(system, "kernel", str(image.kernel.absolute()))
        text(system, "initrd", str(image.initramfs.absolute()))
        text(system, "cmdline", command_line(tag, host, image, spec.title))
    features = ET.SubElement(root, "features")
    ET.SubElement(features, "acpi")
    if host.accel == "tcg":
        text(ET.SubElement(features, "tcg"), "tb-cache", "32", unit="MiB")
    ET.SubElement(root, "cpu", mode="host-passthrough" if host.accel == "kvm" else "maximum")
    for event in ("on_poweroff", "on_reboot", "on_crash"):
        text(root, event, "destroy")
    devices(root, image, local, host.emulator)
    lent(root, gpus)
    _network(root, tag, image, local.wire)
    _few_questions(root)
    return ET.tostring(root, encoding="unicode")


def command_line(tag: Tag, host: Host, image: Image, title: str = "") -> str:
    """Return the kernel's command line; what people wrote is percent-encoded and bounded."""
    told = told_of(tag, title)
    words = [*kernel_words(host), *(f"rk.{name}={text}" for name, text in told.items())]
    if image.screen:
        words.append("console=tty0")
    words += image.append.split()
    hosts = {each.host: each.inside for each in endpoints(image.egress)}
    if hosts:
        words.append("rk.hosts=" + ",".join(f"{at}={host}" for host, at in hosts.items()))
    return " ".join(words)


def told_of(tag: Tag, title: str = "") -> dict[str, str]:
    """Return what a guest is told of itself, percent-encoded and bounded.

    title: the meeting's, which the room sends where its policy lets it out.
    """
    told = {"key": tag.key, "token": tag.token, "room": tag.rooms[0], "meeting": tag.meeting}
    if title:
        told["title"] = title
    return {name: quote(text, safe="")[:200] for name, text in told.items()}


def kernel_words(host: Host) -> list[str]:
    """Return what every guest's kernel is told."""
    words = ["console=ttyS0", "quiet", "panic=-1", "no_timer_check", "random.trust_cpu=on"]
    words += ["cryptomgr.notests", "ipv6.disable=1"]
    if host.accel == "tcg":
        words += ["nokaslr", "mitigations=off", "tsc=reliable"]
    if host.tsc_khz:
        words.append(f"tsc_early_khz={host.tsc_khz}")
    return words


def _network(root: ET.Element, tag: Tag, image: Image, wire: Path | None) -> None:
    """Add the network by hand: libvirt's own user network cannot be shut in nor forward a port."""
    card = "virtio-net-device" if image.board == "microvm" else "virtio-net-pci"
    # Placed by hand, far from the slots that libvirt gives out.
    options = "" if image.board == "microvm" else ",romfile=,bus=pcie.0,addr=0x1e"
    if wire is None:
        forward = f"hostfwd=tcp:127.0.0.1:{tag.port}-{GUEST}:{image.port}"
        network = f"user,id=page,restrict=on,ipv6=off,{forward}"
    else:
        network = f"stream,id=page,server=off,addr.type=unix,addr.path={_escaped(wire)}"
    command = ET.SubElement(root, f"{{{QEMU}}}commandline")
    for value in ("-netdev", network, "-device", f"{card},netdev=page{options}"):
        ET.SubElement(command, f"{{{QEMU}}}arg", value=value)


def _few_questions(root: ET.Element) -> None:
    """Let libvirt look at the new processor's feature words instead of at each of its features.

    Asked one by one, some 400 of them hold every start up for 0.3 s, and nothing here needs them.
    """
    capabilities = ET.SubElement(root, f"{{{QEMU}}}capabilities")
    ET.SubElement(capabilities, f"{{{QEMU}}}del", capability="cpu-unavailable-features")


def _escaped(path: Path) -> str:
    """Return the path as a value in a list of QEMU's options."""
    return str(path).replace(",", ",,")
