"""What plans rest on besides wishes and machines: questions, measured boots, who came first."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from cloud_bridge.store.base import Store
from cloud_bridge.store.tables import approvals, boots, heard, pools
from cloud_bridge.types import Approval, ApprovalState, Ask, Pool

BOOTS_KEPT = 200
"""Of each template: so many tell the 99th percentile and forget last month's host."""
ANSWERS_KEPT_S = 90 * 86400.0
OPEN: tuple[ApprovalState, ...] = ("asked", "lapsed")


@dataclass(frozen=True, slots=True)
class Question:
    """An approval with what it is about. Times: wall seconds; answered: 0 until it is."""

    approval: Approval
    meeting: str
    template: str
    cost: float
    asked: float
    answered: float


class RecordStore:
    """The tables that outlive machines: the reconciler writes them, a person answers in one."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ask(self, ask: Ask, now: float) -> None:
        """Write a question down, unless it was asked before; forget the answers of last quarter.

        One about another template or a higher cost stands in the place of the one before.
        """
        with self._store.begin() as connection:
            connection.execute(delete(approvals).where(approvals.c.asked < now - ANSWERS_KEPT_S))
            values = {
                "state": "asked",
                "deadline": ask.deadline,
                "meeting": ask.meeting[:1024],
                "template": ask.template[:128],
                "cost": ask.cost,
                "asked": now,
                "answered": 0.0,
                "who": "",
                "reason": "",
            }
            columns = approvals.c
            another = (columns.template != values["template"]) | (columns.cost < ask.cost)
            connection.execute(
                self._store.insert(approvals)
                .values(key=ask.key, **values)
                .on_conflict_do_update(
                    index_elements=["key"], set_=values, where=another & (columns.state != "denied")
                )
            )

    def lapse(self, key: str, now: float) -> None:
        """Note that nobody answered in time."""
        with self._store.begin() as connection:
            still = (approvals.c.key == key) & (approvals.c.state == "asked")
            connection.execute(update(approvals).where(still).values(state="lapsed", answered=now))

    def answer(
        self, key: str, *, asked: float, yes: bool, who: str, reason: str, now: float
    ) -> bool:
        """Note a person's answer; False when no such question is open.

        asked: when the question that was answered was put; another may stand in its place by now.
        """
        state = "granted" if yes else "denied"
        with self._store.begin() as connection:
            still = (approvals.c.key == key) & (approvals.c.asked == asked)
            done = connection.execute(
                update(approvals)
                .where(still & approvals.c.state.in_(OPEN))
                .values(state=state, answered=now, who=who[:64], reason=reason[:512])
            )
            return bool(done.rowcount)

    def questions(self) -> list[Question]:
        """Return every question, the newest first."""
        with self._store.read() as connection:
            found = connection.execute(select(approvals).order_by(approvals.c.asked.desc()))
            return [
                Question(
                    Approval(
                        row.key,
                        row.state,
                        row.deadline,
                        row.who,
                        row.reason,
                        row.template,
                        row.cost,
                    ),
                    row.meeting,
                    row.template,
                    row.cost,
                    row.asked,
                    row.answered,
                )
                for row in found
            ]

    def approvals(self) -> tuple[Approval, ...]:
        """Return the questions and answers as a plan reads them."""
        columns = approvals.c
        with self._store.read() as connection:
            found = connection.execute(
                select(
                    *(columns.key, columns.state, columns.deadline, columns.who, columns.reason),
                    *(columns.template, columns.cost),
                )
            )
            return tuple(Approval(*row) for row in found)

    def booted(self, template: str, seconds: float, now: float) -> None:
        """Note how long a machine took to answer, or to be given up on."""
        with self._store.begin() as connection:
            connection.execute(
                self._store.insert(boots).values(template=template, at=now, seconds=seconds)
            )
            kept = (
                select(boots.c.number)
                .where(boots.c.template == template)
                .order_by(boots.c.number.desc())
                .limit(BOOTS_KEPT)
            )
            old = (boots.c.template == template) & boots.c.number.not_in(kept)
            connection.execute(delete(boots).where(old))

    def boots(self) -> dict[str, tuple[float, ...]]:
        """Return the seconds of each template's last boots, the oldest first."""
        found: dict[str, list[float]] = {}
        with self._store.read() as connection:
            rows = connection.execute(
                select(boots.c.template, boots.c.seconds).order_by(boots.c.number)
            )
            for template, seconds in rows:
                found.setdefault(template, []).append(seconds)
        return {template: tuple(seconds) for template, seconds in found.items()}

    def pools(self) -> tuple[Pool, ...]:
        """Return the templates whose last machine failed."""
        columns = (pools.c.template, pools.c.failures, pools.c.not_before, pools.c.reason)
        with self._store.read() as connection:
            return tuple(Pool(*row) for row in connection.execute(select(*columns)))

    def set_pool(self, pool: Pool) -> None:
        """Write down that a template's machine failed."""
        row = {"failures": pool.failures, "not_before": pool.not_before, "reason": pool.reason}
        with self._store.begin() as connection:
            connection.execute(self._store.upsert(pools, template=pool.template, **row))

    def pool_answers(self, template: str) -> None:
        """Note that a machine of the template answered: what failed before is forgotten."""
        with self._store.begin() as connection:
            connection.execute(delete(pools).where(pools.c.template == template))

    def heard(self, keys: Collection[str], now: float) -> dict[str, float]:
        """Return when each of `keys` was first wanted: now, if never before; forget all others."""
        with self._store.read() as connection:
            known = {row.key: row.at for row in connection.execute(select(heard))}
        new, gone = set(keys) - known.keys(), known.keys() - set(keys)
        if new or gone:
            with self._store.begin() as connection:
                if gone:
                    connection.execute(delete(heard).where(heard.c.key.in_(gone)))
                if new:
                    rows = [{"key": key, "at": now} for key in sorted(new)]
                    insert = self._store.insert(heard).on_conflict_do_nothing()
                    connection.execute(insert, rows)
        return {**{key: at for key, at in known.items() if key in keys}, **dict.fromkeys(new, now)}
