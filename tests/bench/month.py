"""A simulated month of machines: `python -m tests.bench.month`, one JSON line each.

Seeded meetings with moves, cancellations, no-shows and overruns go through the real plan; how long
a boot takes is drawn from real ones that were measured a moment before, on this host.
"""

import statistics

from cloud_bridge.types import Capacity, Template
from cloud_bridge.vms.domain import Image
from cloud_bridge.vms.guest.build import build
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from tests.bench.machines import ROOT, our_boot, tell
from tests.world.libvirtd import Libvirtd
from tests.world.month import Month, People, World, bookings

ROOMS, DAYS, BOOTS, SEEDS = 20, 30, 12, (1, 2, 3)
TEMPLATES = {
    "small": Template("small", 512, boot_s=60.0),
    "large": Template("large", 2048, boot_s=60.0),
}


def measured() -> list[float]:
    """Return seconds from request to page of real cold boots."""
    guest = build(ROOT / "build" / "guest")
    image = Image(guest / "vmlinux", guest / "initramfs")
    template = Template("microvm", 128)
    with Libvirtd() as daemon:
        provider = LibvirtProvider(daemon.uri, "bench", {"microvm": image}, Limits())
        try:
            our_boot(provider, template)  # libvirt asks QEMU what it can do, once
            return [our_boot(provider, template) for _ in range(BOOTS)]
        finally:
            provider.close()


def report(months: list[Month]) -> None:
    early = sum(month.early for month in months)
    ready = sum(month.early_ready for month in months)
    late = sum(month.late for month in months)
    late_ready = sum(month.late_ready for month in months)
    hours = sum(month.hours for month in months)
    calendar = sum(month.calendar_hours for month in months)
    always = len(months) * ROOMS * DAYS * 24.0
    slack = [seconds for month in months for seconds in month.slack]
    tell("month: meetings with a machine, known 5 min ahead", early, "meetings")
    tell("month: of these, ready before the start", 100.0 * ready / early, "%")
    tell("month: ready before the start, known later", 100.0 * late_ready / max(late, 1), "%")
    tell("month: ready before the start by, p50", statistics.median(slack), "s")
    tell("month: ready before the start by, least", min(slack), "s")
    tell("month: machine-hours", hours, "h", "one a room, always on", always)
    tell("month: machine-hours", hours, "h", "by the calendar alone", calendar)
    tell("month: second machines of one meeting", sum(m.doubles for m in months), "machines")
    tell("month: machines past lease and grace", sum(m.overdue for m in months), "machines")
    tell("month: plans made", sum(m.plans for m in months), "plans")


def main() -> None:
    boots = measured()
    tell("month: measured boots, slowest", max(boots), "s")
    months = []
    for seed in SEEDS:
        world = World(TEMPLATES, Capacity(16_000, 2), boots, seed)
        months.append(world.live(bookings(ROOMS, DAYS, seed, People())))
    report(months)
    small = World(TEMPLATES, Capacity(6_000, 2), boots, 1)
    month = small.live(bookings(ROOMS, DAYS, 1, People()))
    tell("month, host of 6,000 MiB: refused when booked", month.refused, "meetings")
    tell("month, host of 6,000 MiB: most memory promised", month.most_memory_mib, "MiB")


if __name__ == "__main__":
    main()
