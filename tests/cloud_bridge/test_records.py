"""What plans rest on, in a real database."""

import threading
from collections.abc import Iterator

import pytest

from cloud_bridge.store import RecordStore, Store, StoreError
from cloud_bridge.store.records import ANSWERS_KEPT_S, BOOTS_KEPT
from cloud_bridge.types import Approval, Ask

ASK = Ask("k", 100.0, "m", "small", 12.5)


@pytest.fixture
def records(database: str) -> Iterator[RecordStore]:
    store = Store(database)
    yield RecordStore(store)
    store.close()


def test_a_question_is_kept_as_it_was_first_asked(records: RecordStore) -> None:
    records.ask(ASK, 10.0)
    records.ask(Ask("k", 500.0, "m", "small", 1.0), 20.0)
    assert records.approvals() == (Approval("k", "asked", 100.0, template="small", cost=12.5),)
    (question,) = records.questions()
    assert (question.cost, question.asked, question.answered) == (12.5, 10.0, 0.0)


@pytest.mark.parametrize(
    "dearer", [Ask("k", 500.0, "m", "small", 13.0), Ask("k", 500.0, "m", "big", 1.0)]
)
def test_what_was_said_of_less_is_asked_anew_unless_it_was_no(
    records: RecordStore, dearer: Ask
) -> None:
    records.ask(ASK, 10.0)
    assert records.answer("k", asked=10.0, yes=True, who="ines", reason="", now=20.0)
    records.ask(ASK, 30.0)
    assert records.approvals()[0].state == "granted"
    records.ask(dearer, 40.0)
    expected = Approval("k", "asked", 500.0, "", "", dearer.template, dearer.cost)
    assert records.approvals() == (expected,)
    assert not records.answer("k", asked=10.0, yes=True, who="ines", reason="", now=50.0)
    assert records.answer("k", asked=40.0, yes=False, who="ines", reason="budget", now=50.0)
    records.ask(Ask("k", 900.0, "m", "huge", 99.0), 60.0)
    assert records.approvals()[0].state == "denied"


def test_an_answer_is_given_once_and_names_who_and_why(records: RecordStore) -> None:
    records.ask(ASK, 10.0)
    assert records.answer("k", asked=10.0, yes=False, who="ines", reason="budget", now=20.0)
    assert not records.answer("k", asked=10.0, yes=True, who="otto", reason="", now=30.0)
    assert records.approvals() == (Approval("k", "denied", 100.0, "ines", "budget", "small", 12.5),)
    assert not records.answer("unknown", asked=10.0, yes=True, who="otto", reason="", now=30.0)


def test_a_question_that_lapsed_may_still_be_granted(records: RecordStore) -> None:
    records.ask(ASK, 10.0)
    records.lapse("k", 100.0)
    assert records.approvals()[0].state == "lapsed"
    assert records.answer("k", asked=10.0, yes=True, who="ines", reason="", now=110.0)
    records.lapse("k", 120.0)
    assert records.approvals()[0].state == "granted"


def test_last_quarters_answers_are_forgotten(records: RecordStore) -> None:
    records.ask(ASK, 10.0)
    records.ask(Ask("new", 100.0, "m", "small", 1.0), 11.0 + ANSWERS_KEPT_S)
    assert [question.approval.key for question in records.questions()] == ["new"]


def test_the_last_boots_of_each_template_are_kept(records: RecordStore) -> None:
    for number in range(BOOTS_KEPT + 3):
        records.booted("small", float(number), 10.0)
    records.booted("big", 7.0, 10.0)
    kept = records.boots()
    assert kept["big"] == (7.0,)
    assert kept["small"] == tuple(float(n) for n in range(3, BOOTS_KEPT + 3))


def test_when_a_key_was_first_wanted_is_kept_while_it_is_wanted(records: RecordStore) -> None:
    assert records.heard({"a", "b"}, 10.0) == {"a": 10.0, "b": 10.0}
    assert records.heard({"b", "c"}, 20.0) == {"b": 10.0, "c": 20.0}
    assert records.heard({"a"}, 30.0) == {"a": 30.0}
    assert records.heard((), 40.0) == {}


def test_processes_that_start_at_once_share_the_tables(database: str) -> None:
    failed: list[Exception] = []

    def start() -> None:
        try:
            Store(database).close()
        except StoreError as error:
            failed.append(error)

    starts = [threading.Thread(target=start) for _ in range(6)]
    for one in starts:
        one.start()
    for one in starts:
        one.join(60)
    assert not any(one.is_alive() for one in starts)
    assert failed == []


def test_a_text_no_database_takes_whole_is_cut_and_blocks_nothing(records: RecordStore) -> None:
    records.ask(ASK, 10.0)
    assert records.answer("k", asked=10.0, yes=True, who="a\0b", reason="why" * 900, now=20.0)
    answered = records.approvals()[0]
    assert (answered.who, len(answered.reason)) == ("ab", 512)
    assert not records.answer("\0", asked=10.0, yes=True, who="x", reason="", now=20.0)
