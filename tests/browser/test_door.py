"""The guests' door in Chromium: a code, a real machine's page, and its screen typed into."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from cloud_bridge.door.site import Options
from cloud_bridge.types import Create, Machine, Template
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.domain import Image
from cloud_bridge.vms.guest.build import build
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from edge.contracts import codes
from tests.browser.chromium import SHOTS, chromium, page_of, small_targets, violations
from tests.cloud_bridge.door.world import House
from tests.cloud_bridge.service import ROOT, new_key
from tests.world.libvirtd import Libvirtd
from tests.world.novnc import novnc
from tests.world.waiting import until

LOOKS = ("light", "dark")
SIZES = ("800x480", "1440x900", "390x844")
DESKTOP = Template("desktop", 192)
NOTES = ("Failed to load resource", "Clear-Site-Data header on")
"""What Chromium itself says of what the door means to do."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, Options(novnc=novnc())) as opened:
        yield opened


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"door-{name}.png", animations="disabled")


def whole(page: Page) -> None:
    wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen
    assert not small_targets(page)
    assert not violations(page)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", LOOKS)
def test_the_way_in_is_whole(browser: Browser, house: House, size: str, look: str) -> None:
    machine = house.machine(screen="/nowhere")
    with page_of(browser, f"{house.url}/", size, look, notes=NOTES) as page:
        shot(page, f"entry-{size}-{look}")
        whole(page)
        page.fill("[name=code]", "aaa-aaa-aaa")
        page.click("button")
        page.wait_for_selector("[role=alert]:has-text('No machine is opened')")
        shot(page, f"wrong-{size}-{look}")
        whole(page)
        page.fill("[name=code]", codes.shown(house.code(machine)).lower())
        page.click("button")
        page.wait_for_selector("h1:has-text('Machine of room aurora')")
        shot(page, f"desk-{size}-{look}")
        whole(page)


@pytest.fixture
def desktop(house: House) -> Iterator[tuple[House, Machine]]:
    """A machine with a screen, booted."""
    guest = build(ROOT / "build" / "guest")
    with Libvirtd() as libvirtd:
        yield from _booted(house, libvirtd, guest)


def _booted(house: House, libvirtd: Libvirtd, guest: Path) -> Iterator[tuple[House, Machine]]:
    image = Image(guest / "vmlinuz", guest / "initramfs", "q35", screen=True)
    files = Path(f"/tmp/rk-door-{new_key()[:8]}")
    provider = LibvirtProvider(
        libvirtd.uri, "door", {"desktop": image}, Limits(memory_mib=512, boots=1), files=files
    )
    key = new_key()
    provider.ensure(Create(key, "talk/", ("aurora",), DESKTOP, house.wall() + 600, "Live demo"))
    try:
        until(
            lambda: any(answers(machine) for machine in provider.list() if machine.ours),
            240,
            what="the machine answers",
        )
        machine = next(one for one in provider.list() if one.key == key)
        (used,) = provider.used()
        assert used.key == key
        assert used.cpu_s > 0.1
        assert used.memory_mib > 50
        ready = replace(machine, phase="ready")
        house.machines.intend(ready, begun=True, at=house.wall())
        yield house, ready
    finally:
        provider.delete(key)
        provider.close()


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_a_machines_page_and_screen(browser: Browser, desktop: tuple[House, Machine]) -> None:
    house, machine = desktop
    with page_of(browser, f"{house.url}/", "1440x900", notes=NOTES) as page:
        page.fill("[name=code]", house.code(machine))
        page.click("button")
        page.click("text=Open its page")
        page.wait_for_selector("text=Live demo")
        assert "Machine of room aurora" in page.inner_text("h1")
        page.go_back()
        page.click("text=Open its screen")
        page.wait_for_selector("html[data-screen=connected]", timeout=20_000)
        page.wait_for_function(LIT, timeout=30_000)
        until(lambda: answers(machine), 60, what="the guest has drawn its greeting")
        page.locator("#screen canvas").click()
        # No key that needs Shift: the browser under test does not press it.
        page.keyboard.type("busybox ls /\n", delay=60)
        shot(page, "screen-1440x900-dark")
        shot(page, "screen-1440x900-light")
        assert not violations(page)
        page.keyboard.type("busybox reboot -f\n", delay=60)  # it ends then: it hears the keyboard
        page.wait_for_selector("html[data-screen=lost]", timeout=60_000)
        house.end(machine)
        page.reload()
        page.wait_for_selector("text=Your visit is over")


LIT = """() => {
  const canvas = document.querySelector("#screen canvas");
  if (!canvas || !canvas.width) return false;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return data.some((value, at) => at % 4 < 3 && value > 100);
}"""
"""Whether anything stands on the screen."""
