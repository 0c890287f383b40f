"""Who hears of a decision, and when: in order, once; the safe ones though nothing is durable."""

from edge.contracts.commands import CalendarWrite, Command
from edge.contracts.wire import WantedMessage
from edge.decide.core import Outcome
from edge.handout import Handout


def command(ident, value, priority="schedule", actuator="light.main"):
    return Command(ident, actuator, value, 1e9, "x", priority, "c")


class Hands:
    """A handout and what left it."""

    def __init__(self):
        self.out = []
        self.handout = Handout(self.out.append, self.out.append, self.out.append)

    def promise(self, *commands, writes=(), wanted=None):
        return self.handout.promise(Outcome(None, commands, writes, (), wanted))

    @property
    def ids(self):
        return [getattr(one, "id", getattr(one, "version", None)) for one in self.out]


WRITE = CalendarWrite("w1", "check_in", "m1", "c")


def test_nothing_to_do_promises_nothing():
    assert Hands().promise() is None


def test_what_is_durable_is_handed_out_in_its_order():
    hands = Hands()
    keeps = [
        hands.promise(command("a", 1, "plugin")),
        hands.promise(command("b", 2), writes=(WRITE,), wanted=WantedMessage("r", 3, 0.0)),
    ]
    assert hands.out == []
    for keep in keeps:
        keep()
    assert hands.ids == ["a", "b", "w1", 3]


def test_safe_commands_do_not_wait_and_are_handed_out_once():
    hands = Hands()
    keep = hands.promise(
        command("a", 1), command("b", 2, "safety", "valve"), command("c", 3, "manual", "fan"),
        writes=(WRITE,), wanted=WantedMessage("r", 1, 0.0),
    )  # fmt: skip
    hands.handout.hurry()
    assert hands.ids == ["a", "b", 1]
    hands.handout.hurry()
    keep()
    assert hands.ids == ["a", "b", 1, "c", "w1"]


def test_a_wish_that_waited_does_not_undo_what_was_decided_later():
    hands = Hands()
    first = hands.promise(command("a", 80, "plugin"), wanted=WantedMessage("r", 1, 0.0))
    second = hands.promise(command("b", 0), wanted=WantedMessage("r", 2, 0.0))
    hands.handout.hurry()
    assert hands.ids == [1, "b", 2]
    first()
    second()
    assert hands.ids == [1, "b", 2]
    hands.promise(command("d", 80, "plugin"))()
    assert hands.ids[-1] == "d"


def test_what_was_lost_is_forgotten():
    hands = Hands()
    for number in range(100):
        hands.promise(command(f"lost{number}", 1, "plugin"))
    hands.promise(command("b", 2))()
    assert hands.ids == ["b"]
    assert not hands.handout._waiting
