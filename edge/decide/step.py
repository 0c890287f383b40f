"""step(state, signal, now): one signal through every pure part, in the one order there is."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from edge.contracts.base import Now
from edge.contracts.commands import CalendarWrite, Proposal, Verdict
from edge.contracts.copies import replace
from edge.contracts.decision import Decision, Promise
from edge.contracts.signals import Booted, PluginAnswered, Signal
from edge.contracts.wire import WantedMessage
from edge.decide import arbiter, codes, devices, events, impact, leases, modes, pause, promises
from edge.decide.award import SCHEDULE_LEASE_S, Award, Bench, GateCheck, award
from edge.decide.claims import claims
from edge.decide.core import CoreSettings, CoreState, Outcome
from edge.decide.facts import facts, told
from edge.decide.leases import Wanted
from edge.decide.notes import changes, unserved
from edge.decide.policy import Context, Policy
from edge.decide.rights import allowed_rules, allowed_wish
from edge.decide.schedule import SOURCE, machine_proposals, machines, schedule
from edge.decide.situation import Situation, assess, preparations
from edge.fusion import fuse as fusion
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
        common = replace(common, active=situation.meeting == "active")
        given = leases.without_gone(state.given, wanted)
        bench = self._bench(told(common, given, wanted, settings.costs, signal), wanted, now)
        kinds = rules.agree_kinds
        bench = replace(bench, doubt=lambda wish: impact.doubt(wish, given, room, kinds))
        result = award(claim.standing, given, claim.memory, state.denied, bench, ident, now)
        after = replace(
            state,
            room=room,
            lives=lives,
            holdings=leases.without_hopeless(claim.held, result),
            gate=result.gate,
            given=result.given,
            denied=result.denied,
            retry_at=result.retry_at,
            told=events.told(room, situation),
            stances=claim.stances,
            pause=claim.pause,
            modes=claim.modes,
            quarantined=claim.quarantined,
            codes=codes.codes(state.codes, heard, lives, room.machines, now),
        )
        if isinstance(signal, PluginAnswered):
            after = replace(
                after,
                plugin_state={**state.plugin_state, signal.source: signal.state},
                plugin_state_version={
                    **state.plugin_state_version, signal.source: signal.state_version,
                },
            )  # fmt: skip
        after, snapshot = self._snapshot(after, wanted, now)
        after, called = self._call(state, after, signal, ident, situation, now)
        writes = tuple(_write(effect, ident) for effect in effects)
        verdicts = (*unheard, *claim.refused, *result.verdicts)
        view = promises.View(room, result.given, settings.organisation, now)
        starts, kept = promises.watch(state.starts, lives, settings.intents, view)
        if starts is not state.starts:
            after = replace(after, starts=starts)
        notes = (*changes(state, after), *unserved(state, after, settings.intents))
        decision = _decision(
            notes, after, situation, result, verdicts, writes, snapshot, kept, ident
        )
        return after, Outcome(decision, tuple(result.commands), writes, called, snapshot)

    def _bench(self, context: Callable[[str], Context], wanted: Wanted, now: Now) -> Bench:
        def until(proposal: Proposal) -> float:
            if proposal.actuator in wanted:
                return wanted[proposal.actuator][0].end
            if proposal.source == SOURCE:
                return now.wall + SCHEDULE_LEASE_S
            return now.wall + proposal.until - now.mono

        return Bench(self.policy, self.gate, context, until)

    def next_due(self, state: CoreState, now: Now) -> float:
        """Return the monotonic instant at which `step` wants to be called with a `Woke`."""
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

    def _snapshot(
        self, state: CoreState, wanted: Wanted, now: Now
    ) -> tuple[CoreState, WantedMessage | None]:
        share = self.settings.share_titles
        granted = tuple(
            codes.with_code(
                machine if share else msgspec.structs.replace(machine, title=""), state.codes
            )
            for actuator, (machine, _) in sorted(wanted.items())
            if actuator in state.given
        )
        if granted == state.wanted and state.published:
            return state, None
        if not (now.trusted and state.room.clock_trusted):
            return state, None
        # A journal that was lost must not make the room fall silent behind its old versions.
        version = max(state.wanted_version + 1, int(now.wall))
        after = replace(state, wanted=granted, wanted_version=version, published=True)
        return after, WantedMessage(self.settings.room, version, now.wall, granted)

    def _call(
        self,
        before: CoreState,
        after: CoreState,
        signal: Signal,
        ident: str,
        situation: Situation,
        now: Now,
    ) -> tuple[CoreState, tuple[events.Call, ...]]:
        if isinstance(signal, Booted):
            return replace(after, told=before.told), ()
        kind = events.happened(signal, before.told, after.told)
        hearers = events.hearers(kind, self.settings.plugins, before.ticked, now)
        if not hearers:
            return after, ()
        view = events.View(situation, self.settings.place, self.settings.fusion, now)
        event = events.describe(ident, kind, after.room, view)
        called = events.calls(hearers, event)
        ticked = {**after.ticked, **{call.plugin: now.mono for call in called}}
        return replace(after, ticked=ticked), called


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
