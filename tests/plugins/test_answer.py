"""What a plugin hands back: whatever is let in is the same once it was journaled."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.signals import PluginAnswered, decode_signal, encode_signal
from edge.plugins.answer import LEASE_LIMIT_S, NUMBER_LIMIT, read_answer
from edge.plugins.errors import GuestError

NUMBERS = st.one_of(
    st.floats(-NUMBER_LIMIT, NUMBER_LIMIT), st.integers(-int(NUMBER_LIMIT), int(NUMBER_LIMIT))
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
COMMANDS = st.fixed_dictionaries(
    {
        "event": st.just("e"),
        "actuator": TEXTS.filter(bool),
        "value": st.one_of(st.booleans(), NUMBERS, TEXTS),
        "lease_s": st.one_of(st.floats(1e-3, LEASE_LIMIT_S), st.integers(1, 3600)),
        "reason": TEXTS,
    }
)


@given(st.lists(COMMANDS, max_size=5), TEXTS, st.lists(TEXTS, max_size=3))
def test_an_answer_is_read_back_from_the_journal_as_it_was(commands, state, said):
    text = msgspec.json.encode({"commands": commands, "state": state}).decode()
    output = read_answer(text, frozenset(["e"]))
    answered = PluginAnswered("plugin:p", ("e",), output.commands, output.state, 1, tuple(said))
    again = decode_signal(encode_signal(answered))
    assert again == answered
    # As a float and an int are equal, and so are True and 1:
    kinds = [type(command.value) for command in answered.commands]
    assert [type(command.value) for command in again.commands] == kinds


@pytest.mark.parametrize("value", ["1e400", "-1e400", "NaN", '"\\ud800"', "1000000001"])
def test_what_could_not_be_read_back_is_not_let_in(value):
    command = f'{{"event":"e","actuator":"light.main","value":{value},"lease_s":60}}'
    with pytest.raises(GuestError):
        read_answer(f'{{"commands":[{command}]}}', frozenset(["e"]))
