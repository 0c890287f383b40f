"""step(state, signal, now): one signal through every pure part, in the one order there is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from edge.contracts.base import Now
from edge.contracts.commands import CalendarWrite, Command, Proposal, Verdict
from edge.contracts.decision import Decision, Promise
from edge.contracts.signals import Booted, MotionChanged, PluginAnswered, Signal
from edge.contracts.wire import WantedMachine, WantedMessage
from edge.decide import arbiter, codes, devices, events, impact, leases, modes, pause, promises
from edge.decide.award import SCHEDULE_LEASE_S, Award, Bench, GateCheck, award
from edge.decide.claims import claims
from edge.decide.core import CoreSettings, CoreState, Outcome, Undecided
from edge.decide.facts import facts, told
from edge.decide.leases import Wanted
from edge.decide.notes import changes, unserved
from edge.decide.policy import Policy
from edge.decide.rights import allowed_rules, allowed_wish
from edge.decide.schedule import SOURCE, machine_proposals, machines, schedule
from edge.decide.situation import Situation, assess, preparations
from edge.fusion import fuse as fusion
from edge.fusion.state import RoomState
from edge.meetings import step as meetings
from edge.meetings.life import Effect


@dataclass(frozen=True, slots=True)
class Core:
    """The pure parts with their settings: `step` decides, `next_due` says when to ask again."""

    settings: CoreSettings
    policy: Policy
    gate: GateCheck

    def step(
        self, state: CoreState, signal: Signal, ident: str, now: Now
    ) -> tuple[CoreState, Outcome]:
        """Return the state after `signal` (journaled as `ident`) and what the world should do."""
        if isinstance(signal, MotionChanged) and (signal.with_next or signal.with_answer):
            later, outcome = self._hear(state, signal, ident, now)
            # Who came for a meeting, if only for an instant, checks it in.
            came = later.room.presence.occupied != state.room.presence.occupied
            follows = signal.with_next or outcome.calls
            if follows and not (came and state.lives):
                return later, outcome
        settings = self.settings
        if isinstance(signal, Booted):
            state = leases.rebased(state, now)
        room = fusion.fuse(state.room, signal, now, settings.fusion)
        common = facts(room, state.told.meeting, settings, now)
        rules = allowed_rules(settings.meetings, self.policy, settings.room, common)
        heard, unheard = allowed_wish(signal, self.policy, settings.room, common, settings.costs)
        paused = pause.step(state.pause, signal, ident, now) is not None
        moment = meetings.Moment(heard, ident, room, now, rules, paused)
        lives, effects = meetings.step(state.lives, moment)
        situation = assess(room, lives, settings.intents, now)
        wanted = machines(lives, settings.intents, settings.organisation, now)
        lasting = (
            *schedule(situation, settings.fallbacks, ident),
            *machine_proposals(wanted, ident),
        )
        broken = self.policy.broken
        claim = claims(state, signal, ident, room, lasting, wanted, settings, broken, now)
        if common.active != (situation.meeting == "active"):
            common = replace(common, active=not common.active)
        given = leases.without_gone(state.given, wanted)
        kinds = rules.agree_kinds
        bench = Bench(
            self.policy,
            self.gate,
            told(common, given, wanted, settings.costs, signal),
            lambda proposal: _until(proposal, wanted, now),
            lambda wish: impact.doubt(wish, given, room, kinds),
        )
        result = award(claim.standing, given, claim.memory, state.denied, bench, ident, now)
        known, called, ticked = self._call(state, room, signal, ident, situation, now)
        good = codes.codes(state.codes, heard, lives, room.machines, now)
        snapshot = self._snapshot(state, room, self._granted(wanted, result.given, good), now)
        view = promises.View(room, result.given, settings.organisation, now)
        starts, kept = promises.watch(state.starts, lives, settings.intents, view)
        after = replace(
            state,
            room=room,
            lives=lives,
            holdings=leases.without_hopeless(claim.held, result),
            gate=result.gate,
            given=result.given,
            denied=result.denied,
            retry_at=result.retry_at,
            told=known,
            ticked=ticked,
            stances=claim.stances,
            pause=claim.pause,
            modes=claim.modes,
            quarantined=claim.quarantined,
            starts=starts,
            codes=good,
            undecided=None,
            **_kept(state, signal),
            **_published(snapshot),
        )
        writes = tuple([_write(effect, ident) for effect in effects])
        verdicts = (*unheard, *claim.refused, *result.verdicts)
        notes = (*changes(state, after), *unserved(state, after, settings.intents))
        decision = _decision(
            notes, after, situation, result, verdicts, writes, snapshot, kept, ident
        )
        return after, Outcome(decision, tuple(result.commands), writes, called, snapshot)

    def next_due(self, state: CoreState, now: Now) -> float:
        """Return the monotonic instant at which `step` wants to be called with a `Woke`."""
        if state.undecided is not None:
            return state.undecided.due(now.mono)
        settings = self.settings
        due = [
            fusion.next_due(state.room, now, settings.fusion),
            arbiter.next_due(state.holdings),
            events.next_due(settings.plugins, state.ticked),
            state.retry_at,
            devices.next_due(state.stances),
            modes.next_due(state.room, settings.fusion, now),
            math.inf if state.pause is None else state.pause.until,
            leases.renewals(state, now),
            now.mono + codes.next_due(state.codes) - now.wall,
        ]
        if now.trusted and state.room.clock_trusted:
            wall = meetings.next_due(state.lives, settings.meetings, now)
            leads = min(preparations(state.lives, settings.intents, now), default=wall)
            due.append(now.mono + min(wall, leads) - now.wall)
        return max(now.mono, min(due))

    def _hear(
        self, state: CoreState, signal: MotionChanged, ident: str, now: Now
    ) -> tuple[CoreState, Outcome]:
        """Take `signal` into the picture and tell plugins; a step that follows decides on it."""
        room = fusion.fuse(state.room, signal, now, self.settings.fusion)
        situation = assess(room, state.lives, self.settings.intents, now)
        known, called, ticked = self._call(state, room, signal, ident, situation, now)
        # Who goes on to move does not put the decision off.
        before, since = state.room, now.mono
        if state.undecided is not None:
            before, since = state.undecided.room, min(since, state.undecided.since)
        undecided = Undecided(before, since, signal.with_next)
        after = replace(state, room=room, told=known, ticked=ticked, undecided=undecided)
        return after, Outcome(calls=called)

    def _granted(
        self, wanted: Wanted, given: Mapping[str, Command], good: codes.Codes
    ) -> tuple[WantedMachine, ...]:
        """Return the machines of which policy and gate let the room want them."""
        share = self.settings.share_titles
        return tuple(
            codes.with_code(machine if share else replace(machine, title=""), good)
            for actuator, (machine, _) in sorted(wanted.items())
            if actuator in given
        )

    def _snapshot(
        self, before: CoreState, room: RoomState, granted: tuple[WantedMachine, ...], now: Now
    ) -> WantedMessage | None:
        """Return the machines wanted when that is news; a room without a clock says nothing."""
        if not (now.trusted and room.clock_trusted):
            return None
        if granted == before.wanted and before.published:
            return None
        # A journal that was lost must not make the room fall silent behind its old versions.
        version = max(before.wanted_version + 1, int(now.wall))
        return WantedMessage(self.settings.room, version, now.wall, granted)

    def _call(
        self,
        before: CoreState,
        room: RoomState,
        signal: Signal,
        ident: str,
        situation: Situation,
        now: Now,
    ) -> tuple[events.Told, tuple[events.Call, ...], dict[str, float]]:
        """Return what plugins know now, who is called with what, and when each was called last."""
        if isinstance(signal, Booted):
            return before.told, (), before.ticked
        told = events.told(room, situation)
        kind = events.happened(signal, before.told, told)
        hearers = events.hearers(kind, self.settings.plugins, before.ticked, now)
        if not hearers:
            return told, (), before.ticked
        view = events.View(situation, self.settings.place, self.settings.fusion, now)
        event = events.describe(ident, kind, room, view)
        return told, events.calls(hearers, event), before.ticked | dict.fromkeys(hearers, now.mono)


def _until(proposal: Proposal, wanted: Wanted, now: Now) -> float:
    """Return the wall instant at which the lease of a command ends."""
    if proposal.actuator in wanted:
        return wanted[proposal.actuator][0].end
    if proposal.source == SOURCE:
        return now.wall + SCHEDULE_LEASE_S
    return now.wall + proposal.until - now.mono


def _kept(state: CoreState, signal: Signal) -> dict[str, object]:
    """Return what changes in the state by what a plugin wants to keep."""
    if not isinstance(signal, PluginAnswered):
        return {}
    version = state.plugin_state_version
    return {
        "plugin_state": state.plugin_state | {signal.source: signal.state},
        "plugin_state_version": version | {signal.source: signal.state_version},
    }


def _published(snapshot: WantedMessage | None) -> dict[str, object]:
    if snapshot is None:
        return {}
    return {
        "wanted": snapshot.machines,
        "wanted_version": snapshot.version,
        "published": True,
    }


def _write(effect: Effect, ident: str) -> CalendarWrite:
    meeting = effect.meeting
    return CalendarWrite(
        id=effect.id, verb=effect.verb, uid=meeting.uid, cause=ident,
        recurrence_id=meeting.recurrence_id, href=meeting.href, etag=meeting.etag,
        start=meeting.start, end=effect.end, title=meeting.title, reason=effect.reason,
    )  # fmt: skip


def _decision(
    notes: tuple[str, ...],
    after: CoreState,
    situation: Situation,
    result: Award,
    verdicts: tuple[Verdict, ...],
    writes: tuple[CalendarWrite, ...],
    snapshot: WantedMessage | None,
    kept: tuple[Promise, ...],
    ident: str,
) -> Decision | None:
    if not (notes or result.commands or verdicts or writes or snapshot or kept):
        return None
    presence = after.room.presence
    life = after.lives.get(situation.key)
    return Decision(
        cause=ident,
        occupied=presence.occupied,
        probability=presence.probability,
        count=presence.count,
        confidence=presence.confidence,
        evidence=tuple(f"{e.source}: {e.says} ({e.odds:+.1f})" for e in presence.evidence),
        meeting=situation.key,
        phase="" if life is None else life.phase,
        intent="" if situation.intent is None else situation.intent.name,
        notes=notes,
        verdicts=verdicts,
        commands=tuple(result.commands),
        writes=writes,
        wanted=0 if snapshot is None else snapshot.version,
        promises=kept,
    )
