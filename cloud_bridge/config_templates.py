"""[templates.NAME]: what a machine is made of, and what is wrong with it beyond its types."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cloud_bridge.config_openstack import OpenStackTemplate
from edge.contracts.base import StrictMessage

_PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
Endpoint = Annotated[
    str, Meta(pattern=rf"\A{_LABEL}(\.{_LABEL}){{0,10}}:{_PORT}\Z", max_length=100)
]
"""A host's name or IPv4 address and a TCP port."""
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Seconds = Annotated[float, Meta(ge=0.0, le=86400.0)]
KINDS = ("kernel", "initramfs", "disk")


class TemplateSection(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """One kind of machine; kernel, initramfs, disk and user_data are files.

    Without disk: "" is the small guest's kernel. With disk and without kernel, the disk's own boot
    loader starts.
    """

    provider: Literal["libvirt", "clone"] = "libvirt"
    memory_mib: Annotated[int, Meta(ge=64, le=1_048_576)] = 128
    vcpus: Annotated[int, Meta(ge=1, le=64)] = 1
    board: Literal["microvm", "q35"] = "microvm"
    kernel: str = ""
    initramfs: str = ""
    append: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9 ._:,=/@+-]*\Z", max_length=400)] = ""
    disk: str = ""
    disk_gib: Annotated[int, Meta(ge=0, le=4096)] = 0
    user_data: str = ""
    checksums: Annotated[
        dict[Literal["kernel", "initramfs", "disk"], Sha256], Meta(max_length=3)
    ] = msgspec.field(default_factory=dict)
    old_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    lead_s: Seconds = 300.0
    grace_s: Seconds = 300.0
    boot_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 120.0
    gpus: Annotated[int, Meta(ge=0, le=16)] = 0
    gpu: Annotated[str, Meta(pattern=r"\A([0-9a-f]{4}:[0-9a-f]{4})?\Z")] = ""
    priority: Annotated[int, Meta(ge=1, le=10)] = 4
    balloon: bool = False
    ksm: bool = False
    screen: bool = False
    cost_per_hour: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.0
    approve_above: Annotated[float, Meta(ge=-1.0, le=1e9)] = -1.0
    egress: Annotated[tuple[Endpoint, ...], Meta(max_length=16)] = ()
    port: Annotated[int, Meta(ge=1, le=65535)] = 80
    ready: Literal["page", "http", "tcp", "serial"] = "page"
    ready_path: Annotated[str, Meta(pattern=r"\A/[A-Za-z0-9._~/-]*\Z", max_length=200)] = "/"
    openstack: OpenStackTemplate | None = None

    @property
    def own_loader(self) -> bool:
        """Whether the disk starts by itself."""
        return bool(self.disk) and not self.kernel


def mistakes(template: TemplateSection) -> Iterator[tuple[str, str]]:
    """Yield (key, what is allowed) for what the types alone let pass."""
    if bool(template.kernel) != bool(template.initramfs):
        missing = "kernel" if template.initramfs else "initramfs"
        yield missing, "kernel and initramfs together, or neither"
    if len(set(template.egress)) != len(template.egress):
        yield "egress", "each host:port once"
    if template.own_loader and template.board == "microvm":
        yield "board", 'q35 for a disk that starts by itself, or "kernel" and "initramfs" with it'
    if template.own_loader and template.append:
        yield (
            "append",
            '"" for a disk that starts by itself: its boot loader has the kernel\'s line',
        )
    for word in template.append.split():
        if word.partition("=")[0].startswith("rk."):
            yield "append", "words that do not begin with rk., which says what the guest is told"
    for key in ("disk_gib", "user_data"):
        if getattr(template, key) and not template.disk:
            yield key, "nothing without a disk"
    yield from _gpu(template)
    yield from _of_copies(template)
    yield from _screen(template)
    for kind in template.checksums:
        if not getattr(template, kind):
            yield "checksums", f"checksums of files that are named; {kind} is not"


def _screen(template: TemplateSection) -> Iterator[tuple[str, str]]:
    if template.screen and template.board == "microvm":
        yield "board", "q35 with screen: a microvm has none"


def _gpu(template: TemplateSection) -> Iterator[tuple[str, str]]:
    if template.gpu and not template.gpus:
        yield "gpus", "1 or more with gpu"
    if template.gpu and template.balloon:
        yield "balloon", "false with gpu: a device that is lent pins all memory"
    if template.gpu and template.board == "microvm":
        yield "board", "q35 with gpu: a microvm has no PCI"


def _of_copies(template: TemplateSection) -> Iterator[tuple[str, str]]:
    if template.provider != "clone":
        return
    for key in ("disk", "gpus", "egress", "balloon", "ksm", "screen"):
        if getattr(template, key):
            yield key, 'nothing for a template whose provider is "clone"'
    if template.ready == "serial":
        yield "ready", '"page", "http" or "tcp" for a template whose provider is "clone"'


def files(template: TemplateSection) -> Iterator[tuple[str, str]]:
    """Yield (key, path) of each file the operator may have named."""
    for key in (*KINDS, "user_data"):
        yield key, getattr(template, key)


def absolute(template: TemplateSection, folder: Path, guest: Path) -> TemplateSection:
    """Return it with paths from `folder`, and the small guest's kernel where it boots that."""

    def file(text: str) -> str:
        return str((folder / text).resolve()) if text else ""

    own = template.own_loader
    kernel = "vmlinuz" if template.screen else "vmlinux"
    return msgspec.structs.replace(
        template,
        kernel=file(template.kernel) or ("" if own else str(guest / kernel)),
        initramfs=file(template.initramfs) or ("" if own else str(guest / "initramfs")),
        disk=file(template.disk),
        user_data=file(template.user_data),
    )


def changed_at(template: TemplateSection) -> float:
    """Return when the oldest of its files was made, wall seconds; 0 when one is missing."""
    try:
        return min(Path(path).stat().st_mtime for kind, path in files(template)
                   if path and kind in KINDS)  # fmt: skip
    except (OSError, ValueError):
        return 0.0
