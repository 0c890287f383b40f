"""What a template's machines are made of on this host, and what one of them has of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Board = Literal["microvm", "q35"]


@dataclass(frozen=True, slots=True)
class Image:
    """What a template boots on a `board`: an unpacked kernel and an initramfs, a disk, or both.

    egress: "host:port" each, all that the guest may reach; append: words for its kernel; disk:
    each machine writes to an overlay of it, of `disk_gib` (0: its own size); own_loader: the disk
    starts by itself and there is no kernel; user_data: cloud-init's; checksums: kind of file ->
    SHA-256; port: of the guest, its page or what else it serves; tells: it says READY on a serial
    line; gpu: vendor:product of the host's PCI devices that each machine has for itself, as many
    as the template has GPUs; priority: so much more processor time than another guest while its
    lease runs; balloon: memory it frees goes back to the host; ksm: equal pages may be shared;
    screen: it has one, on a socket of its own (q35).
    """

    kernel: Path
    initramfs: Path
    board: Board = "microvm"
    egress: tuple[str, ...] = ()
    append: str = ""
    disk: Path | None = None
    disk_gib: int = 0
    own_loader: bool = False
    user_data: Path | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    port: int = 80
    tells: bool = False
    gpu: str = ""
    priority: int = 1
    balloon: bool = False
    ksm: bool = False
    screen: bool = False

    def files(self) -> dict[str, Path]:
        """Return the files that must be there, by kind."""
        found = {} if self.own_loader else {"kernel": self.kernel, "initramfs": self.initramfs}
        if self.disk is not None:
            found["disk"] = self.disk
        return found


@dataclass(frozen=True, slots=True)
class Local:
    """What one machine has on this host: sockets of network, serial line and VNC, disk, seed."""

    wire: Path | None = None
    line: Path | None = None
    disk: Path | None = None
    seed: Path | None = None
    screen: Path | None = None
