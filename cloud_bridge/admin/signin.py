"""Signing in and out, and changing the password."""

import structlog
from flask import Flask, g, request
from prometheus_client import Counter
from werkzeug.wrappers import Response as Answer

from cloud_bridge.admin import passwords
from cloud_bridge.admin.site import SESSION, Site
from cloud_bridge.store.users import User

log = structlog.get_logger()
SIGN_INS = Counter("roomkeeper_admin_sign_ins", "Attempts to sign in, by outcome.", ["outcome"])
WRONG = "The name or the password is wrong."
ONLY_ADMINS = "This page is for administrators only."


def routes(app: Flask, site: Site) -> None:
    """Add the pages of signing in and out."""

    @app.get("/login")
    def login() -> Answer:
        return site.to("/") if g.user else site.page("login.html")

    @app.post("/login")
    def sign_in() -> Answer:
        return _sign_in(site)

    @app.post("/logout")
    def sign_out() -> Answer:
        site.ports.users.close(passwords.digest(site.secret()))
        response = site.to("/login")
        response.delete_cookie(SESSION, path="/")
        return response

    @app.get("/password")
    def password() -> Answer:
        return site.page("password.html", least=passwords.LEAST)

    @app.post("/password")
    def change() -> Answer:
        return _change(site, g.user)


def _sign_in(site: Site) -> Answer:
    name = request.form.get("name", "")[:64]
    address = site.address()
    wait = site.brake.wait(address)
    if wait > 0 or not site.pace.take():
        SIGN_INS.labels("braked").inc()
        text = f"Too many attempts. Try again in {max(1, round(wait))} s."
        answer = site.page("login.html", 429, trouble=text, name=name)
        answer.headers["Retry-After"] = str(max(1, round(wait)))
        return answer
    user = site.ports.users.user(name)
    password = request.form.get("password", "")
    if not passwords.fits(password, user) or user is None:
        site.brake.failed(address)
        SIGN_INS.labels("wrong").inc()
        log.warning("sign-in refused", address=address)
        return site.page("login.html", 401, trouble=WRONG, name=name)
    if user.role != "admin":
        SIGN_INS.labels("role").inc()
        return site.page("login.html", 403, trouble=ONLY_ADMINS, name=name)
    site.brake.passed(address)
    if passwords.outdated(user):
        site.ports.users.rehash(user.name, passwords.hashed(password))
    SIGN_INS.labels("ok").inc()
    log.info("signed in", user=user.name, address=address)
    site.ports.users.close(passwords.digest(site.secret()))
    response = site.to("/password" if user.must_change else "/")
    site.sign_in(user.name, response)
    return response


def _change(site: Site, user: User) -> Answer:
    form = request.form
    address = site.address()
    old, new = form.get("old", ""), form.get("new", "")
    if site.brake.wait(address) > 0 or not site.pace.take():
        return _again(site, 429, "Too many attempts. Try again in a minute.")
    if not passwords.fits(old, user):
        site.brake.failed(address)
        return _again(site, 403, "The present password is wrong.")
    trouble = passwords.why_not(new, form.get("again", ""), old)
    if trouble:
        return _again(site, 400, trouble)
    now = site.ports.wall()
    site.ports.users.set(User(user.name, passwords.hashed(new), user.role, False, now))
    log.info("password changed", user=user.name)
    response = site.to("/?notice=password")
    site.sign_in(user.name, response)
    return response


def _again(site: Site, code: int, trouble: str) -> Answer:
    return site.page("password.html", code, trouble=trouble, least=passwords.LEAST)
