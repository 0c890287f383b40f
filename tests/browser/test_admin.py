"""Every state of the admin page in Chromium: how it looks, whom it shuts out, how fast it is."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cloud_bridge.admin import passwords
from edge.process.web.server import WebServer
from tests.browser.chromium import (
    SHOTS,
    chromium,
    first_paint_ms,
    page_of,
    small_targets,
    violations,
)
from tests.world.office import PASSWORD, Office
from tests.world.office_scenes import SCENES, air, attention, well
from tests.world.probes import listens
from tests.world.waiting import until

LOOKS = ("light", "dark")
DESK, SMALL, PHONE = "1440x900", "800x480", "390x844"
OTHERS = {
    "meetings": "/meetings",
    "machines": "/machines",
    "audit": "/audit",
    "why": "/audit?room=aurora&text=by+hand",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with Office(tmp_path) as opened:
        opened.admin()
        yield opened


@contextmanager
def still(office: Office) -> Iterator[str]:
    """The page over facts that nothing renews: what was read last stays."""
    server = WebServer("admin", "127.0.0.1", 0, office.app, office.pulse)
    server.start()
    try:
        yield "http://{}:{}".format(*server.address)
    finally:
        server.stop()


def enter(page: Page) -> Page:
    page.fill("[name=name]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click("button:has-text('Sign in')")
    page.wait_for_selector("html.live")
    return page


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"admin-{name}.png", animations="disabled")


def whole(page: Page) -> None:
    wide, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen
    assert not small_targets(page)
    assert not violations(page)


@pytest.mark.parametrize("scene", SCENES)
def test_every_state_is_whole_and_open_to_everybody(
    browser: Browser, office: Office, scene: str
) -> None:
    SCENES[scene](office)
    with still(office) as url:
        for size in (DESK, SMALL):
            for look in LOOKS:
                with page_of(browser, f"{url}/login", size, look) as page:
                    enter(page)
                    shot(page, f"overview-{scene}-{size}-{look}")
                    whole(page)


@pytest.mark.parametrize("size", [DESK, SMALL, PHONE])
@pytest.mark.parametrize("look", LOOKS)
def test_the_other_pages_are_whole(browser: Browser, office: Office, size: str, look: str) -> None:
    attention(office)
    with still(office) as url, page_of(browser, f"{url}/login", size, look) as page:
        enter(page)
        if size == PHONE:
            shot(page, f"overview-attention-{size}-{look}")
            whole(page)
        for name, path in OTHERS.items():
            page.goto(url + path)
            if name == "why":
                page.locator(".trail-why a").first.click()
                page.wait_for_selector(".why")
            shot(page, f"{name}-{size}-{look}")
            whole(page)


@pytest.mark.parametrize("size", [DESK, SMALL, PHONE])
@pytest.mark.parametrize("look", LOOKS)
def test_what_machines_use_is_whole(browser: Browser, office: Office, size: str, look: str) -> None:
    SCENES["idle"](office)
    with still(office) as url, page_of(browser, f"{url}/login", size, look) as page:
        enter(page)
        assert "A machine idles with nobody there" in page.inner_text("main")
        page.goto(f"{url}/machines")
        page.wait_for_selector(".badge:has-text('Idle for 21 min')")
        assert "142 MiB" in page.inner_text("main")
        shot(page, f"usage-{size}-{look}")
        whole(page)


@pytest.mark.parametrize("size", [DESK, SMALL, PHONE])
def test_the_way_in(browser: Browser, office: Office, size: str) -> None:
    office.admin(must_change=True)
    with still(office) as url, page_of(browser, f"{url}/", size) as page:
        shot(page, f"login-{size}-light")
        whole(page)
        page.fill("[name=name]", "admin")
        page.fill("[name=password]", "wrong")
        page.click("button")
        page.wait_for_selector("text=The name or the password is wrong.")
        whole(page)
        page.fill("[name=password]", PASSWORD)
        page.click("button")
        page.wait_for_selector("text=Take your own password")
        shot(page, f"password-{size}-light")
        whole(page)
        page.fill("[name=old]", PASSWORD)
        page.fill("[name=new]", "a-better-one-of-mine")
        page.fill("[name=again]", "a-better-one-of-mine")
        page.click("button:has-text('Change it')")
        page.wait_for_selector("text=Your password is changed.")
        page.click("button:has-text('Sign out')")
        page.wait_for_selector("h1:has-text('Sign in')")


def test_a_change_shows_without_a_reload(browser: Browser, office: Office) -> None:
    well(office)
    office.serve()
    with page_of(browser, f"{office.address}/login", DESK) as page:
        enter(page)
        page.evaluate("window.same = true")
        people = "[data-room=fjord] .figure:first-child:has-text('6')"
        air(office.tenant("fjord"), 6)
        page.wait_for_selector(people, timeout=5000)
        office.tenant("cedar").online(False)
        page.wait_for_selector("h1:has-text('1 thing needs attention')", timeout=5000)
        assert page.evaluate("window.same")


def test_a_given_up_machine_begins_anew_by_hand(browser: Browser, office: Office) -> None:
    attention(office)
    office.serve()
    with page_of(browser, f"{office.address}/login", DESK) as page:
        enter(page).goto(f"{office.address}/machines")
        page.click("text=Begin anew")
        page.wait_for_selector("[role=status]:has-text('It begins anew')")
        page.wait_for_selector("text=Begin anew", state="detached")
        assert office.machines.attempts() == []


def test_a_given_up_machine_is_abandoned_with_a_reason(browser: Browser, office: Office) -> None:
    attention(office)
    office.serve()
    with page_of(browser, f"{office.address}/login", DESK) as page:
        enter(page).goto(f"{office.address}/machines")
        page.fill(".answer input[name=reason]", "the demo is off")
        page.click("button:has-text('Abandon')")
        page.wait_for_selector("[role=status]:has-text('Abandoned.')")
        page.wait_for_selector("text=/abandoned by \\w+: the demo is off/")
        page.wait_for_selector("button:has-text('Begin anew')")
        assert page.locator("button:has-text('Abandon')").count() == 0
    (attempt,) = office.machines.attempts()
    assert attempt.abandoned


def test_a_page_that_lost_its_service_says_so_and_recovers(
    browser: Browser, office: Office
) -> None:
    well(office)
    office.serve()
    assert office.server is not None
    address, port = office.address, office.server.address[1]
    with page_of(browser, f"{address}/login", DESK) as page:
        enter(page)
        office.server.stop()
        page.wait_for_selector(".offline:visible", timeout=12_000)
        shot(page, f"offline-{DESK}-light")
        until(lambda: not listens(port), what="the old server has let go of its port")
        office.pulse._closed = False
        office.server = WebServer("admin", "127.0.0.1", port, office.app, office.pulse)
        office.server.start()
        page.wait_for_selector(".offline", state="hidden", timeout=15_000)


def test_who_was_signed_out_elsewhere_is_led_to_the_door(browser: Browser, office: Office) -> None:
    well(office)
    office.serve()
    with page_of(browser, f"{office.address}/login", DESK) as page:
        enter(page)
        passwords.reset_password(office.users, office.time)
        office.mono += 6
        page.wait_for_selector("h1:has-text('Sign in')", timeout=15_000)


def test_everything_works_without_script(browser: Browser, office: Office) -> None:
    attention(office)
    with still(office) as url, page_of(browser, f"{url}/login", DESK, script=False) as page:
        page.fill("[name=name]", "admin")
        page.fill("[name=password]", PASSWORD)
        page.click("button")
        expect(page.locator("h1")).to_contain_text("7 things need attention")
        page.click("text=See it")
        expect(page.locator("main")).to_contain_text("Given up")
        page.click("text=Audit trail")
        page.wait_for_selector("[name=room]")
        page.select_option("[name=room]", "aurora")
        page.fill("[name=text]", "by hand")
        page.click("button:has-text('Show')")
        page.locator(".trail-why a").first.click()
        expect(page.locator("main")).to_contain_text("Evidence")


def test_first_paint_is_quick(browser: Browser, office: Office) -> None:
    attention(office)
    client = office.client()
    with still(office) as url, page_of(browser, f"{url}/login", DESK) as page:
        enter(page)
        paints = [first_paint_ms(page, url) for _ in range(5)]
        kept = {one["name"]: one["value"] for one in page.context.cookies()}
    client.set_cookie("roomkeeper_admin", kept["roomkeeper_admin"])
    draws = []
    for _ in range(20):
        begun = time.perf_counter()
        assert client.get("/").status_code == 200
        draws.append((time.perf_counter() - begun) * 1000)
    paint, draw = statistics.median(paints), statistics.median(draws)
    print({"first_paint_ms": round(paint), "page_render_ms": round(draw, 1)})
    # The promise is 300 ms; a busy machine may take twice that.
    assert paint < 600
