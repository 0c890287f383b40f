"""A whole meeting on both pages: a real site in Chromium, the room hung and killed meanwhile."""

import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import SHOTS, chromium, page_of, violations
from tests.world.demo import SHORT, Plan
from tests.world.media import make_clip, make_sound
from tests.world.places import ROOT
from tests.world.probes import healthy
from tests.world.site import Media, Site, Wishes
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PLAN: Plan = SHORT
OWN = "a password of my own"
RUNNING = re.compile("In use|Ending")
"""A meeting as short as this one is always about to end."""


@pytest.fixture
def site() -> Iterator[Site]:
    cache = ROOT / "build" / "media"
    cache.mkdir(parents=True, exist_ok=True)
    media = Media(
        str(make_clip(cache, tuple(PLAN.people))),
        str(make_sound(cache, PLAN.clip, [(PLAN.arrive + 2, PLAN.leave)])),
        PLAN.people,
    )
    with tempfile.TemporaryDirectory(prefix="rk-", dir="/tmp") as name:
        site = Site(Path(name), Wishes(extend_s=PLAN.length), lambda *_: None, media)
        try:
            site.up()
            yield site
        finally:
            site.close()


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"meeting-{name}.png", animations="disabled")


def word(page: Page, text: str | re.Pattern[str], seconds: float) -> None:
    expect(page.locator("#plate .status-word")).to_have_text(text, timeout=seconds * 1000)


def sign_in(page: Page, password: str) -> None:
    """The first way in: the one-time password, and one's own instead of it."""
    page.fill("[name=name]", "admin")
    page.fill("[name=password]", password)
    page.click("button:has-text('Sign in')")
    page.fill("[name=old]", password)
    page.fill("[name=new]", OWN)
    page.fill("[name=again]", OWN)
    page.click("button:has-text('Change it')")


def test_both_pages_follow_a_meeting_from_booking_to_release(site: Site) -> None:
    start = float(int(time.time() + PLAN.start))
    with (
        chromium() as browser,
        page_of(browser, f"http://127.0.0.1:{site.ports.panel}/") as page,
        page_of(browser, f"http://127.0.0.1:{site.ports.admin}/", "1440x900") as admin,
    ):
        sign_in(admin, site.admin_password())
        rooms = admin.locator("main")
        expect(rooms).to_contain_text("aurora", timeout=15_000)
        page.wait_for_selector("html.live")
        word(page, "Free", 10)
        site.book("at-the-door", start, start + PLAN.length, "Live demonstration #demo")
        word(page, "Reserved", 10)
        shot(page, "1-reserved")
        expect(page.locator(".machine .badge")).to_contain_text("Ready", timeout=60_000)
        shot(page, "2-machine-ready")
        word(page, RUNNING, start - time.time() + 20)
        shot(page, "3-in-use")
        expect(rooms).to_contain_text("In use", timeout=15_000)
        shot(admin, "admin-1-in-use")
        assert not violations(page)

        page.get_by_role("link", name="Why?").first.click()
        expect(page.locator("body")).to_contain_text("people are here", timeout=5_000)
        shot(page, "4-why")
        page.goto(f"http://127.0.0.1:{site.ports.panel}/")
        page.wait_for_selector("html.live")

        hung = site.supervisor.pid("edge")
        os.kill(hung, signal.SIGSTOP)
        expect(page.locator(".offline")).to_be_visible(timeout=20_000)
        shot(page, "5-room-hangs")
        os.kill(hung, signal.SIGCONT)
        expect(page.locator(".offline")).to_be_hidden(timeout=20_000)

        site.supervisor.kill("edge")
        until(lambda: site.supervisor.pid("edge") != hung and healthy(site.ports.edge), 30)
        word(page, RUNNING, 15)
        shot(page, "6-room-back")

        admin.goto(f"http://127.0.0.1:{site.ports.admin}/audit?text=check_in")
        expect(rooms).to_contain_text("check", timeout=10_000)
        shot(admin, "admin-2-audit")
        admin.goto(f"http://127.0.0.1:{site.ports.admin}/meetings")

        word(page, "Free", 120)
        shot(page, "7-free-again")
        expect(rooms).to_contain_text("Gone", timeout=60_000)
        shot(admin, "admin-3-machine-gone")
        assert site.supervisor.deaths("edge") == 1
