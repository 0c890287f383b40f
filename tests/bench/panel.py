"""The two pages in Chromium, the panel over the real loop: `python -m tests.bench.panel`.

First paint: from asking for the page until something of it stands there, the browser already open.
Tap: from the tap on "higher" until the new set point stands there. Peer: an empty page of the same
server process's machine, painted by the same browser, in turn.
"""

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.bench._room import tell
from tests.browser.chromium import TAP, chromium, first_paint_ms, page_of
from tests.world.door import Door
from tests.world.office import PASSWORD, Office
from tests.world.office_scenes import attention
from tests.world.scenes import busy

ROUNDS = 9
EMPTY = "data:text/html,<!doctype html><title>empty</title><p>.</p>"


def panel(browser: Browser) -> None:
    with Door() as door:
        door.serve()
        busy(door)
        url = f"{door.url}/?tab=controls"
        with page_of(browser, url) as page:
            paints, empty, taps = [], [], []
            for _ in range(ROUNDS):
                empty.append(first_paint_ms(page, EMPTY))
                paints.append(first_paint_ms(page, url))
                page.wait_for_selector("html.live")
                taps.append(float(page.evaluate(TAP)))
    peer = statistics.median(empty)
    tell("panel: first paint, p50", statistics.median(paints), "ms", "an empty page", peer)
    tell("panel: first paint, max", max(paints), "ms")
    tell("panel: tap to visible, p50", statistics.median(taps), "ms")
    tell("panel: tap to visible, max", max(taps), "ms")


def admin(browser: Browser) -> None:
    with tempfile.TemporaryDirectory() as folder, Office(Path(folder)) as office:
        office.admin()
        attention(office)
        office.serve()
        with page_of(browser, f"{office.address}/login", "1440x900") as page:
            page.fill("[name=name]", "admin")
            page.fill("[name=password]", PASSWORD)
            page.click("button")
            page.wait_for_selector("html.live")
            paints, empty = [], []
            for _ in range(ROUNDS):
                empty.append(first_paint_ms(page, EMPTY))
                paints.append(first_paint_ms(page, f"{office.address}/"))
    peer = statistics.median(empty)
    tell("admin page: first paint, p50", statistics.median(paints), "ms", "an empty page", peer)
    tell("admin page: first paint, max", max(paints), "ms")


def main() -> None:
    with chromium() as browser:
        panel(browser)
        admin(browser)


if __name__ == "__main__":
    main()
