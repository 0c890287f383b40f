"""What a person may do on the page besides signing in: begin anew, abandon, answer a question."""

import structlog
from flask import Flask, g, request
from werkzeug.wrappers import Response as Answer

from cloud_bridge.admin.site import Site

log = structlog.get_logger()
KEY_LIMIT = 64
REASON_LIMIT = 300


def routes(app: Flask, site: Site) -> None:
    """Add the forms."""

    @app.post("/machines/<key>/retry")
    def retry(key: str) -> Answer:
        known = len(key) <= KEY_LIMIT and site.ports.machines.forget_attempts(key)
        log.info("machine begins anew", key=key[:KEY_LIMIT], user=g.user.name, known=known)
        return site.to(f"/machines?notice={'retry' if known else 'nothing'}")

    @app.post("/machines/<key>/abandon")
    def abandon(key: str) -> Answer:
        why = _reason()
        known = len(key) <= KEY_LIMIT and site.ports.machines.abandon(key, g.user.name, why)
        log.info(
            "machine abandoned", key=key[:KEY_LIMIT], user=g.user.name, reason=why, known=known
        )
        return site.to(f"/machines?notice={'abandoned' if known else 'nothing'}")

    @app.post("/questions/<key>")
    def answer(key: str) -> Answer:
        said = request.form.get("answer", "")
        if said not in ("yes", "no") or len(key) > KEY_LIMIT:
            return site.to("/machines?notice=nothing")
        known = site.ports.records.answer(
            key,
            asked=_number("asked"),
            yes=said == "yes",
            who=g.user.name,
            reason=_reason(),
            now=site.ports.wall(),
        )
        log.info("question answered", key=key, user=g.user.name, answer=said, known=known)
        notice = {"yes": "granted", "no": "denied"}[said] if known else "answered"
        return site.to(f"/machines?notice={notice}")


def _number(name: str) -> float:
    """Return a number of the form, -1 for what is none."""
    try:
        return float(request.form.get(name, ""))
    except ValueError:
        return -1.0


def _reason() -> str:
    """Return what the person wrote, on one line and bounded."""
    return " ".join(request.form.get("reason", "").replace("\0", "").split())[:REASON_LIMIT]
