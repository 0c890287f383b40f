"""What a person does once at a shell: look at machines, let one begin anew, build a guest."""

import shutil
from pathlib import Path

from cloud_bridge.admin import passwords
from cloud_bridge.assembly import checks_of, provider_of
from cloud_bridge.config import CloudConfig
from cloud_bridge.store import (
    MachineStore,
    Store,
    UserStore,
)
from cloud_bridge.types import Machine
from cloud_bridge.vms import accel
from cloud_bridge.vms.base import VmError
from cloud_bridge.vms.guest.build import build
from cloud_bridge.vms.guest.kernel import KernelError

__all__ = ["KernelError", "VmError"]


def machines(config: CloudConfig) -> list[tuple[Machine, bool]]:
    """Return every machine the provider lists, and whether its page answers."""
    provider, checks = provider_of(config), checks_of(config)
    try:
        return [(machine, machine.ours and checks.ready(machine)) for machine in provider.list()]
    finally:
        checks.close()
        provider.close()


def retry(config: CloudConfig, key: str) -> bool:
    """Let a given-up machine begin anew; return whether anything was known of it."""
    store = Store(config.store.url)
    try:
        return MachineStore(store).forget_attempts(key)
    finally:
        store.close()


def reset_password(config: CloudConfig) -> str:
    """Give the user admin a one-time password and return it."""
    store = Store(config.store.url)
    try:
        return passwords.reset_password(UserStore(store))
    finally:
        store.close()


def make_image(folder: Path) -> Path:
    """Build the small guest into `folder`."""
    return build(folder)


def how_guests_run() -> str:
    """Return how this host runs guests, in words; "" without QEMU."""
    emulator = shutil.which("qemu-system-x86_64")
    if emulator is None:
        return ""
    kind = accel.best(emulator)
    return "KVM" if kind == "kvm" else f"emulation (TCG), counter at {accel.tsc_khz()} kHz"
