"""Every state of the panel in Chromium: how it looks, whom it shuts out, how fast it answers."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.contracts.signals import MotionChanged, OperatorAsked, PeopleCounted
from tests.browser.chromium import (
    SHOTS,
    TAP,
    chromium,
    cut_off,
    first_paint_ms,
    page_of,
    small_targets,
    violations,
)
from tests.world.door import Door
from tests.world.probes import listens
from tests.world.scenes import SCENES, air, busy, free
from tests.world.waiting import until

LOOKS = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def door() -> Iterator[Door]:
    with Door() as opened:
        yield opened.serve()


def live(page: Page) -> Page:
    page.wait_for_selector("html.live")
    return page


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"panel-{name}.png", animations="disabled")


@pytest.mark.parametrize("scene", SCENES)
def test_every_state_is_whole_and_open_to_everybody(
    browser: Browser, door: Door, scene: str
) -> None:
    SCENES[scene](door)
    for size in ("800x480", "1440x900"):
        for look in LOOKS:
            with page_of(browser, door.url, size, look) as page:
                live(page)
                shot(page, f"{scene}-{size}-{look}")
                height, seen = page.evaluate("[document.documentElement.scrollHeight, innerHeight]")
                assert height <= seen, f"{scene} scrolls at {size}"
                assert not cut_off(page)
                assert not small_targets(page)
                assert not violations(page)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("scene", ["busy", "by_hand", "at_device", "paused", "no_consent"])
def test_the_controls_fit_beside_the_door(
    browser: Browser, door: Door, scene: str, look: str
) -> None:
    SCENES[scene](door)
    with page_of(browser, f"{door.url}/?tab=controls", "800x480", look) as page:
        live(page)
        shot(page, f"{scene}-controls-800x480-{look}")
        assert not cut_off(page)
        assert not small_targets(page)
        assert not violations(page)


@pytest.mark.parametrize("language", ["de", "fr", "es"])
@pytest.mark.parametrize(
    "scene", ["free", "nobody_came", "ending", "stale", "paused", "unruly", "asks_release"]
)
def test_other_languages_fit_too(browser: Browser, door: Door, scene: str, language: str) -> None:
    SCENES[scene](door)
    for tab in ("room", "controls"):
        with page_of(browser, f"{door.url}/?lang={language}&tab={tab}") as page:
            live(page)
            shot(page, f"{scene}-{tab}-{language}")
            assert page.get_attribute("html", "lang") == language
            assert not cut_off(page)


def test_a_phone_shows_it_in_one_column(browser: Browser, door: Door) -> None:
    busy(door)
    with page_of(browser, door.url, "390x844") as page:
        live(page)
        page.screenshot(path=SHOTS / "panel-busy-390x844-light.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert not small_targets(page)
        assert not violations(page)


def test_a_change_in_the_room_shows_without_a_reload(browser: Browser, door: Door) -> None:
    free(door)
    with page_of(browser, door.url) as page:
        live(page).wait_for_selector("[data-gauge=people]:has-text('Nobody')")
        page.evaluate("window.same = true")
        door.say(PeopleCounted("camera", 5, 0.9))
        page.wait_for_selector("[data-gauge=people]:has-text('5')", timeout=3000)
        door.say(OperatorAsked("panel", "book", seconds=1800))
        page.wait_for_selector(".plate[data-tone=busy]", timeout=3000)
        assert page.evaluate("window.same")


def test_a_meeting_is_booked_extended_and_ended_by_hand(browser: Browser, door: Door) -> None:
    free(door)
    with page_of(browser, door.url) as page:
        live(page).click("text=30 min")
        page.wait_for_selector(".plate[data-tone=busy]:has-text('13:42')")
        page.click("text=Extend 15 min")
        page.wait_for_selector(".plate:has-text('13:57')")
        page.click("text=End now")
        page.wait_for_selector(".plate[data-tone=free]")


def test_light_and_climate_are_set_and_given_back(browser: Browser, door: Door) -> None:
    busy(door)
    with page_of(browser, f"{door.url}/?tab=controls") as page:
        live(page).focus(".slider")
        page.keyboard.press("Home")
        page.wait_for_selector("[data-control='light.main']:has-text('By hand until 14:12')")
        assert door.loop.state.given["light.main"].value == 0
        page.click("[aria-label=Higher]")
        page.wait_for_selector("[data-control='climate.setpoint']:has-text('21.5')")
        page.click("[data-control='climate.setpoint'] .release")
        page.wait_for_selector("[data-control='climate.setpoint']:has-text('Automatic')")


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_the_code_of_a_machine_is_shown_with_a_tap(
    browser: Browser, door: Door, language: str
) -> None:
    busy(door)
    for size in ("800x480", "1440x900") if language == "en" else ("800x480",):
        for look in LOOKS:
            with page_of(browser, f"{door.url}/?lang={language}", size, look) as page:
                live(page).locator(".offers .button").click()
                page.wait_for_selector(".code")
                shot(page, f"code-{size}-{look}-{language}")
                assert not cut_off(page)
                assert not small_targets(page)
                assert not violations(page)


@pytest.mark.parametrize("look", LOOKS)
def test_what_waits_for_its_answer_can_be_read(browser: Browser, door: Door, look: str) -> None:
    busy(door)
    with page_of(browser, door.url, look=look) as page:
        assert live(page).locator(".button, .segment").count() > 1
        page.evaluate(
            "() => document.querySelectorAll('.button, .segment')"
            ".forEach(each => each.setAttribute('aria-busy', 'true'))"
        )
        shot(page, f"waiting-{look}")
        assert not violations(page)


def test_a_machine_is_asked_for_with_a_tap(browser: Browser, door: Door) -> None:
    free(door)
    with page_of(browser, door.url) as page:
        live(page).click("text=30 min with demo-small")
        page.wait_for_selector(".machine:has-text('is being made')", timeout=5000)
        assert [one.template for one in door.loop.state.wanted] == ["demo-small"]


def test_who_is_still_there_keeps_the_meeting(browser: Browser, door: Door) -> None:
    SCENES["asks_end"](door)
    with page_of(browser, door.url) as page:
        live(page).click("text=Keep it")
        page.wait_for_selector("text=Extend 15 min")
        assert door.loop.state.lives["live/"].phase == "active"


def test_automation_is_paused_and_resumed(browser: Browser, door: Door) -> None:
    busy(door)
    with page_of(browser, door.url) as page:
        live(page).click("[aria-label='Pause automation']")
        page.wait_for_selector(".notice:has-text('paused until 14:12')")
        assert door.loop.state.pause is not None
        page.click("[aria-label='Resume automation']")
        page.wait_for_selector("[aria-label='Pause automation']")
        assert door.loop.state.pause is None


def test_an_automatic_action_is_explained_and_undone(browser: Browser, door: Door) -> None:
    busy(door)
    with page_of(browser, door.url, "1440x900") as page:
        live(page).locator(".deed:has-text('Light to 80 %') .why").click()
        page.wait_for_selector("dialog[open]:has-text('live-demo')")
        shot(page, "why-1440x900-light")
        assert not violations(page)
        page.click("dialog >> text=Undo: set to 0 %")
        page.wait_for_selector("dialog:not([open])", state="attached")
        page.wait_for_selector("[data-control='light.main']:has-text('By hand until 14:12')")
        assert door.loop.state.given["light.main"].source == "person:panel"


def test_a_refusal_is_told(browser: Browser, door: Door) -> None:
    busy(door)
    with page_of(browser, door.url) as page:
        live(page)
        # The meeting ends while the finger is on its way: the old button is tapped.
        page.evaluate("document.querySelector('.plate form [name=meeting]').value = 'elsewhere/'")
        page.click("text=Extend 15 min")
        page.wait_for_selector(".toast:has-text('not possible any more')")
        shot(page, "refused-800x480-light")


def test_a_panel_that_lost_its_room_says_so_and_recovers(browser: Browser, door: Door) -> None:
    busy(door)
    with page_of(browser, door.url) as page:
        live(page)
        assert door.server is not None
        port = door.server.address[1]
        door.server.stop()
        page.wait_for_selector(".offline:visible", timeout=12_000)
        shot(page, "offline-800x480-light")
        with Door() as again:
            free(again)
            until(lambda: not listens(port), what="the old server has let go of its port")
            again.serve(port)
            page.wait_for_selector(".offline", state="hidden", timeout=15_000)
            page.wait_for_selector(".plate[data-tone=free]")


def test_everything_works_without_script(browser: Browser, door: Door) -> None:
    free(door)
    with page_of(browser, door.url, "1440x900", script=False) as page:
        page.click("text=30 min")
        expect(page.locator(".plate")).to_contain_text("In use")
        expect(page.locator(".toast")).to_contain_text("Done")
        page.click("[aria-label=Higher]")
        expect(page.locator("[data-control='climate.setpoint']")).to_contain_text("21.5")
        page.click("text=Nothing")
        until(lambda: door.loop.state.room.consent == "off")
        page.locator(".why").first.click()
        expect(page.locator("main")).to_contain_text("Reason")
        page.click(".back")
        page.click("[data-control=looks] >> text=DE")
        expect(page.locator(".plate")).to_contain_text("Belegt")


def test_first_paint_and_tap_are_quick(browser: Browser, door: Door) -> None:
    busy(door)
    with page_of(browser, f"{door.url}/?tab=controls") as page:
        paints = [first_paint_ms(page, f"{door.url}/?tab=controls") for _ in range(5)]
        live(page)
        taps = [page.evaluate(TAP) for _ in range(5)]
    print({"first_paint_ms": _rounded(paints), "tap_to_visible_ms": _rounded(taps)})
    # The promises are 300 and 200 ms; a busy machine may take twice that.
    assert sorted(paints)[2] < 600
    assert sorted(taps)[2] < 400


def _rounded(figures: list[float]) -> list[int]:
    return [round(figure) for figure in figures]


def test_speech_of_the_page_names_the_state_first(browser: Browser, door: Door) -> None:
    busy(door)
    air(door, 4)
    door.say(MotionChanged("node:air", True))
    with page_of(browser, door.url) as page:
        assert page.title() == "Aurora \u2013 In use"
        assert page.inner_text("h1") == "Aurora"
        assert "Live demo for Northwind" in page.inner_text("#day ul")
