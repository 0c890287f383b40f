"""The view as HTML: a whole page, or its parts for the event stream."""

from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from jinja2 import Environment

from edge.panel import PanelError
from edge.panel.view import PanelView
from edge.panel.voice import Voice
from edge.panel.words import LANGUAGES
from edge.process.web import WebError
from edge.process.web.theme import LOOKS, Theme

PARTS: dict[str, tuple[str, ...]] = {
    "plate": ("room", "clock", "status", "actions"),
    "automation": ("automation",),
    "notices": ("notices",),
    "cards": ("now", "next"),
    "gauges": ("gauges",),
    "work": ("machine", "offers", "deeds"),
    "day": ("day",),
    "controls": ("controls", "consent"),
}
"""Id of a part's element -> the fields of the view that its template reads."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the language, the look, and the token of the browser's forms."""

    voice: Voice
    look: str
    token: str
    tab: str = "room"
    notice: str = ""


class Renderer:
    """Draws pages with the templates of `app`; `stamp` changes with what is served beside them."""

    def __init__(self, app: Flask, theme: Path) -> None:
        self._env: Environment = app.jinja_env
        static = Path(app.static_folder or "")
        try:
            drawn = Theme(theme, [static / "panel.css", static / "panel.js"])
        except WebError as error:
            raise PanelError(str(error)) from error
        self.stamp = drawn.stamp
        self._env.globals.update(
            icons=drawn.icons, stamp=self.stamp, languages=LANGUAGES, looks=LOOKS
        )

    def page(self, view: PanelView, reader: Reader) -> str:
        """Return the whole page."""
        return self._draw("panel.html", view, reader)

    def parts(
        self, view: PanelView, reader: Reader, before: PanelView | None = None
    ) -> dict[str, str]:
        """Return the parts of the page that are not as in `before`, by the id of their element."""
        return {
            part: self._draw(f"parts/{part}.html", view, reader)
            for part, fields in PARTS.items()
            if before is None or any(getattr(view, f) != getattr(before, f) for f in fields)
        }

    def other(self, template: str, reader: Reader, **more: object) -> str:
        """Return another page."""
        return self._env.get_template(template).render(r=reader, say=reader.voice, **more)

    def _draw(self, template: str, view: PanelView, reader: Reader) -> str:
        drawn = self._env.get_template(template)
        return drawn.render(v=view, r=reader, say=reader.voice)
