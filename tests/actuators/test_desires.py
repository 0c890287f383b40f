"""Desired against reported, without a device: every instant is an argument."""

from hypothesis import given
from hypothesis import strategies as st

from edge.actuators.desires import RESEND_CAP_S, TRIES, Desires, equal

FOLLOW_S = 2.0
LAMP = "lamp"


def desires(**more):
    return Desires(FOLLOW_S, **more)


def test_a_wish_is_said_at_once_and_again_until_the_device_agrees():
    book = desires()
    book.want(LAMP, 40, 100.0, 0.0)
    assert book.due(0.0) == [(LAMP, 40)]
    book.wrote(LAMP, 40, 0.0)
    assert book.due(1.9) == []
    assert book.due(2.0) == [(LAMP, 40)]
    assert book.report({LAMP: 40}, 2.1) == {LAMP: 40}
    assert book.due(99.0) == []
    assert book.wait_s(90.0, 0.0) == 10.0, "only the lease is left to wait for"


def test_what_does_not_follow_is_asked_ever_later_and_called_stuck():
    book = desires()
    book.want(LAMP, 40, 1e9, 0.0)
    now, pauses = 0.0, []
    for _ in range(12):
        assert book.due(now) == [(LAMP, 40)]
        book.wrote(LAMP, 40, now)
        pause = book.wait_s(0.0, now)
        pauses.append(pause)
        now += pause
    assert pauses[:TRIES] == [FOLLOW_S] * TRIES
    assert pauses == sorted(pauses)
    assert pauses[-1] == RESEND_CAP_S
    assert book.stuck() == [(LAMP, 40)]
    book.report({LAMP: 40}, now)
    assert book.stuck() == []


def test_the_same_wish_renews_the_lease_and_is_not_said_again():
    book = desires()
    book.want(LAMP, 40, 100.0, 0.0)
    book.wrote(LAMP, 40, 0.0)
    book.report({LAMP: 40}, 0.1)
    book.want(LAMP, 40, 200.0, 1.0)
    assert book.due(50.0) == []
    assert book.lapsed(150.0) == []
    assert book.lapsed(200.0) == [LAMP]
    assert book.lapsed(200.0) == []
    assert not book.drop(LAMP)


def test_a_device_moved_by_somebody_is_news_and_is_told_again_only_after_a_while():
    book = desires()
    book.want(LAMP, 40, 1e9, 0.0)
    book.wrote(LAMP, 40, 0.0)
    book.report({LAMP: 40}, 0.1)
    assert book.report({LAMP: 10}, 50.0) == {LAMP: 10}
    assert book.due(50.0 + FOLLOW_S - 0.1) == []
    assert book.due(50.0 + FOLLOW_S) == [(LAMP, 40)]
    assert book.report({LAMP: 10}, 51.0) == {}, "told once"
    book.want(LAMP, 10, 1e9, 51.0)
    book.wrote(LAMP, 10, 51.0)
    assert book.report({LAMP: 10}, 51.1) == {}
    assert book.due(99.0) == [], "the room made the change its own"


def test_a_device_at_none_of_its_values_is_told_at_once_and_is_no_news():
    book = desires()
    book.want(LAMP, "table", 1e9, 0.0)
    book.wrote(LAMP, "table", 0.0)
    book.report({LAMP: "table"}, 0.1)
    assert book.report({LAMP: None}, 50.0) == {}
    assert book.due(50.0) == [(LAMP, "table")]


def test_a_lazy_device_is_not_told_what_it_says_already():
    for lazy in (True, False):
        book = desires(lazy=lazy)
        book.report({LAMP: 10}, 0.0)
        book.want(LAMP, 10, 1e9, 1.0)
        assert (book.due(1.0) == []) is lazy
        book.again(2.0)
        assert book.due(2.0) == [(LAMP, 10)], "it may have forgotten"


def test_what_stands_there_by_another_hand_does_not_spare_the_word():
    """A report that was under way while the wish came must not be taken for an answer to it."""
    book = desires()
    book.want(LAMP, 40, 1e9, 0.0)
    book.report({LAMP: 40}, 0.1)
    assert book.due(0.1) == [(LAMP, 40)]
    book.wrote(LAMP, 40, 0.2)
    book.report({LAMP: 40}, 0.3)
    assert book.due(99.0) == []


def test_a_device_that_rounds_agrees_and_the_rooms_own_figure_is_told():
    book = desires(same=lambda _name, wanted, told: abs(wanted - told) < 1)
    book.want(LAMP, 40, 1e9, 0.0)
    book.wrote(LAMP, 40, 0.0)
    assert book.report({LAMP: 40.4}, 0.1) == {LAMP: 40}
    assert book.due(9.0) == []


def test_a_wish_that_changed_while_it_was_said_is_not_taken_for_said():
    book = desires()
    book.want(LAMP, 40, 1e9, 0.0)
    book.want(LAMP, 50, 1e9, 0.1)
    book.wrote(LAMP, 40, 0.2)
    assert book.due(0.2) == [(LAMP, 50)]


def test_a_switch_is_no_number():
    assert not equal(LAMP, 1, True)
    assert equal(LAMP, 1, 1.0)


VALUES = st.sampled_from([0, 1, 40, True, False, "on", "off"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["want", "drop", "lapsed", "wrote", "again", "report"]),
        st.sampled_from(["lamp", "fan"]),
        st.one_of(VALUES, st.none()),
        st.floats(0, 1e6, allow_nan=False),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_only_wishes_are_said_and_news_is_news(steps):
    book = desires()
    now, wanted, told = 0.0, {}, {}
    for verb, name, value, number in steps:
        now += number % 7
        match verb:
            case "want" if value is not None:
                book.want(name, value, number, now)
                wanted[name] = value
            case "drop":
                assert book.drop(name) is (name in wanted)
                wanted.pop(name, None)
            case "lapsed":
                for gone in book.lapsed(number):
                    del wanted[gone]
            case "wrote" if value is not None:
                book.wrote(name, value, now)
            case "again":
                book.again(now)
            case "report":
                for actuator, news in book.report({name: value}, now).items():
                    assert actuator not in told or not equal(actuator, told[actuator], news)
                    told[actuator] = news
        for actuator, said in book.due(now):
            assert equal(actuator, wanted[actuator], said)
        assert book.wait_s(0.0, now) >= 0.0
