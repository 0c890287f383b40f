"""`roomkeeper-edge intents explain`: from a booking's file to the text of its plan."""

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from edge.assembly import core_settings
from edge.commands.booking import BookingError, find
from edge.commands.cast import Cast
from edge.commands.plan import World, make
from edge.commands.plan_text import told
from edge.commands.question import Question
from edge.config import ConfigError, RoomConfig, load_policy
from edge.contracts.times import instant
from edge.decide.intents import Intent
from edge.rehearsal import Sense


def explained(room: RoomConfig, declared: tuple[Intent, ...], asked: Question) -> str:
    """Return the plan as text or JSON; ClickException says why there is none."""
    zone = ZoneInfo(room.room.timezone)
    at = _instant(asked.at, zone)
    try:
        booking = find(asked.event, asked.occurrence, at, zone, room.calendar.attendee)
        with Cast(room, asked=asked.plugins) as cast:
            policy = load_policy(Path(room.policy.file))
            settings = core_settings(room, declared, policy, cast.plugins)
            answer = cast.answer if asked.plugins else None
            plan = make(settings, booking, at, World(asked.machine_takes, senses(room), answer))
    except (BookingError, ConfigError) as error:
        raise click.ClickException(str(error)) from error
    plan = replace(plan, notes=(*plan.notes, *cast.notes))
    if asked.as_json:
        return msgspec.json.format(msgspec.json.encode(plan), indent=2).decode()
    return "\n".join(told(plan, zone))


def senses(room: RoomConfig) -> tuple[Sense, ...]:
    """Return what tells this room of people, as it is configured."""
    there: dict[Sense, bool] = {
        "camera": bool(room.camera.device),
        "microphone": bool(room.microphone.device),
        "motion": bool(room.nodes),
    }
    return tuple(sense for sense, is_there in there.items() if is_there)


def _instant(text: str, zone: ZoneInfo) -> float:
    if not text:
        return time.time()
    try:
        return instant(datetime.fromisoformat(text), zone)
    except (ValueError, OverflowError):
        raise click.ClickException(
            f"--at {text!r}: an instant such as 2026-12-01T09:00, in the room's time zone"
        ) from None
