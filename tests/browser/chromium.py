"""Chromium, and the accessibility checker beside it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.world.waiting import until

HERE = Path(__file__).parent
SHOTS = HERE.parents[1] / "build" / "screenshots"
SIZES = {"800x480": (800, 480), "1440x900": (1440, 900), "390x844": (390, 844)}
PROGRAM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking",
    "--no-first-run", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that is closed in the end; skips where none is installed."""
    if not PROGRAM.exists():
        pytest.skip("chromium is not installed")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(
    browser: Browser,
    url: str,
    size: str = "800x480",
    look: str = "light",
    script: bool = True,
    notes: tuple[str, ...] = ("Failed to load resource",),
) -> Iterator[Page]:
    """A page at `url`; fails in the end when it said anything on the console but `notes`."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=look,
        java_script_enabled=script,
        locale="en-GB",
    )
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    try:
        page.goto(url)
        yield page
        ours = [line for line in said if not any(note in line for note in notes)]
        assert not ours, ours
    finally:
        context.close()


PAINTED = "performance.getEntriesByName('first-contentful-paint')"


def first_paint_ms(page: Page, url: str) -> float:
    """Return milliseconds from the start of the navigation to the first paint with content."""
    page.goto(url)
    # Asked again and again from here: the page forbids what its own polling would need.
    until(lambda: page.evaluate(f"{PAINTED}.length"), 10, "a first paint")
    return float(page.evaluate(f"{PAINTED}[0].startTime"))


@cache
def axe() -> str:
    """The checker's source, installed by its hash on first use; skips when that cannot be had."""
    path = HERE / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        try:
            subprocess.run(["npm", "ci"], cwd=HERE, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"axe-core cannot be installed: {error}")
    return path.read_text("utf-8")


def violations(page: Page) -> list[str]:
    """What breaks WCAG 2.2 A or AA on the page, one line for each element."""
    page.evaluate(axe())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run({ runOnly: { type: 'tag', values: tags } })", tags
    )
    return [
        f"{rule['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def small_targets(page: Page) -> list[str]:
    """What can be touched and is smaller than 48 by 48 px."""
    return page.evaluate(
        """() => [...document.querySelectorAll('a,button,input:not([type=hidden])')]
        .filter(e => e.checkVisibility({ visibilityProperty: true }))
        .map(e => [e, e.getBoundingClientRect()])
        .filter(([e, r]) => r.width && (r.width < 47.5 || r.height < 47.5))
        .map(([e, r]) => `${e.outerHTML.slice(0, 90)} ${r.width}x${r.height}`)"""
    )


def cut_off(page: Page) -> list[str]:
    """Elements that reach out of the window or of their card."""
    return page.evaluate(CUT_OFF)


CUT_OFF = """() => {
  const kinds = "a,button,input:not([type=hidden]),.badge,.gauge-value,.status-word,.card";
  const frames = ".card,.plate";
  const out = [];
  for (const e of document.querySelectorAll(kinds)) {
    if (!e.checkVisibility() || e.closest(".deed-list,.dialog")) continue;
    const r = e.getBoundingClientRect();
    const frame = (e.matches(frames) ? e.parentElement : e.closest(frames)) ?? document.body;
    const f = frame.getBoundingClientRect();
    const right = Math.min(innerWidth, f.right), bottom = Math.min(innerHeight, f.bottom);
    if (r.width && (r.right > right + 1 || r.bottom > bottom + 1))
      out.push(`${e.outerHTML.slice(0, 120)} ${r.right}>${right} ${r.bottom}>${bottom}`);
  }
  return out;
}"""


TAP = """() => new Promise(done => {
  const figure = "[data-control='climate.setpoint'] .control-value";
  const read = () => document.querySelector(figure).textContent;
  const was = read(), start = performance.now();
  const look = () => read() === was ? requestAnimationFrame(look) : done(performance.now() - start);
  document.querySelector("[aria-label=Higher]").click();
  look();
})"""
