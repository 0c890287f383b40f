"""Machines that wait for a person's yes: granted, denied, ignored, over the real plan."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cloud_bridge.types import Create, Plan, Template
from tests.browser.chromium import chromium, page_of
from tests.browser.test_admin import DESK, LOOKS, PHONE, SMALL, enter, shot, still, whole
from tests.world.office import Office, key_of
from tests.world.office_scenes import air
from tests.world.room import meeting

SAID = {"Grant": "Granted.", "Deny": "Denied."}
GPU = Template("gpu", 8192, gpus=1, lead_s=300.0, cost_per_hour=12.0, approve_above=5.0)
GRANTED = meeting("grant", 3600, 60, title="Training run", organiser="Mira Okafor")
DENIED = meeting("deny", 7800, 60, title="Screen saver", organiser="Jonas Weber")
IGNORED = meeting("ignore", 12000, 60, title="Rendering", organiser="Aiko Tan")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with Office(tmp_path) as opened:
        opened.admin()
        aurora = opened.tenant("aurora").online()
        air(aurora)
        aurora.calendar(GRANTED, DENIED, IGNORED)
        aurora.want(GRANTED, DENIED, IGNORED, template="gpu")
        opened.plan(GPU)
        opened.read()
        yield opened


def answer(page: Page, key: str, word: str, why: str) -> None:
    card = page.locator(f"#q-{key}")
    card.locator("[name=reason]").fill(why)
    card.locator(f"button:has-text('{word}')").click()
    expect(page.locator("[role=status]")).to_contain_text(SAID[word])


def begun(planned: Plan) -> list[str]:
    return [action.key for action in planned.actions if isinstance(action, Create)]


def told(planned: Plan) -> dict[str, str]:
    return {standing.key: standing.detail for standing in planned.standings}


def test_a_person_grants_denies_and_ignores(browser: Browser, office: Office) -> None:
    with still(office) as url, page_of(browser, f"{url}/login", DESK) as page:
        enter(page)
        assert "A machine waits for your yes" in page.inner_text("main")
        page.locator("a:has-text('Answer')").first.click()
        expect(page.locator("[id^=q-]")).to_have_count(3)
        answer(page, key_of(GRANTED), "Grant", "the model is due on Monday")
        answer(page, key_of(DENIED), "Deny", "no budget for that")

        office.pass_time(3600 - 300 + 1)
        planned = office.plan(GPU)
        assert begun(planned) == [key_of(GRANTED)]
        assert told(planned)[key_of(DENIED)] == "denied by admin: no budget for that"
        office.pass_time(12000 - 3600)
        assert begun(office.plan(GPU)) == []
        assert told(office.plan(GPU))[key_of(IGNORED)] == "nobody said yes in time"

        office.read()
        page.goto(f"{url}/audit")
        rows = page.locator("#answers tbody tr")
        texts = [rows.nth(number).inner_text() for number in range(rows.count())]
        granted = next(text for text in texts if "Training run" in text)
        denied = next(text for text in texts if "Screen saver" in text)
        assert "admin" in granted
        assert "the model is due on Monday" in granted
        assert "admin" in denied
        assert "no budget for that" in denied
        shot(page, f"answers-{DESK}-light")


def test_what_lapsed_may_still_be_granted(browser: Browser, office: Office) -> None:
    office.pass_time(3600 - 300 + 1)
    office.plan(GPU)
    office.read()
    with still(office) as url, page_of(browser, f"{url}/login", DESK) as page:
        enter(page)
        page.goto(f"{url}/machines")
        card = page.locator(f"#q-{key_of(GRANTED)}")
        assert "Nobody answered" in card.inner_text()
        answer(page, key_of(GRANTED), "Grant", "")
        assert begun(office.plan(GPU)) == [key_of(GRANTED)]


@pytest.mark.parametrize("size", [DESK, SMALL, PHONE])
@pytest.mark.parametrize("look", LOOKS)
def test_the_questions_are_whole(browser: Browser, office: Office, size: str, look: str) -> None:
    (question,) = [q for q in office.records.questions() if q.approval.key == key_of(DENIED)]
    assert office.records.answer(
        key_of(DENIED),
        asked=question.asked,
        yes=False,
        who="admin",
        reason="no budget",
        now=office.wall,
    )
    office.read()
    with still(office) as url, page_of(browser, f"{url}/login", size, look) as page:
        enter(page)
        for name, path in (("questions", "/machines"), ("answers", "/audit")):
            page.goto(url + path)
            shot(page, f"{name}-{size}-{look}")
            whole(page)


def test_without_script_it_is_answered_all_the_same(browser: Browser, office: Office) -> None:
    with still(office) as url, page_of(browser, f"{url}/login", DESK, script=False) as page:
        page.fill("[name=name]", "admin")
        page.fill("[name=password]", "quiet-corridor-7")
        page.click("button")
        expect(page.locator("h1")).not_to_have_text("Sign in")
        page.goto(f"{url}/machines")
        answer(page, key_of(DENIED), "Deny", "<b>no</b>")
        assert office.records.approvals()
        assert office.plan(GPU).standings
        office.read()
        page.goto(f"{url}/audit")
        assert "<b>no</b>" in page.inner_text("#answers")
