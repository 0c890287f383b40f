"""Settings that an instance has read already: it answers as a fresh one, whatever came before."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.contracts.plugin import PluginEvent
from edge.plugins.guest import Guest, Instance
from edge.plugins.sandbox import Sandbox
from tests.plugins.guests import shipped

PRESENCE = PluginEvent(id="e-1", kind="presence", occupied=True, count=2, intent="video")
EVENT = msgspec.to_builtins(PRESENCE)
LONG = {"video": "main=35 " + "other=1 " * 400, "lease_s": 60.0}
GIVEN: tuple[object, ...] = (
    {"default_level": 50.0, "lease_s": 90.0},
    {"default_level": 60.0, "lease_s": 90.0},
    {"default_level": 60.0, "lease_s": 90.05},
    {"video": "main=\u00fc\\n35", "lease_s": 90.0},
    {"video": 'main=35 "quoted" \\ and \u00fc', "actuator": "light.a light.b"},
    {"lease_s": 60.0, "nested": {"settings": {"lease_s": 1.0}}},
    LONG,
    {},
    [],
    7,
    "settings",
    None,
)


@pytest.fixture(scope="module")
def lights() -> Iterator[Guest]:
    box = Sandbox()
    plugin = shipped("lights")[0]
    limits = msgspec.structs.replace(plugin.manifest.limits, deadline_ms=1000)
    yield box.compile("lights", plugin.wasm, limits)
    box.close()


def asked(settings: object, *, state: str = "", absent: bool = False) -> str:
    given: dict[str, Any] = {"events": [EVENT], "now": 1e9, "seed": 1, "state": state}
    if not absent:
        given["settings"] = settings
    # As the room writes it: what is kept is looked for without a blank before it, too.
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))


def level(answer: str) -> object:
    return json.loads(answer)["commands"][0]["value"]


def same(lights: Guest, texts: list[str]) -> None:
    with Instance(lights) as kept:
        for text in texts:
            assert kept.call("handle", text) == lights.call("handle", text), text


def test_settings_count_from_the_call_they_change_in(lights: Guest) -> None:
    with Instance(lights) as kept:
        found = [
            level(kept.call("handle", asked({"video": f"main={n}"}))) for n in (40, 40, 60, 40)
        ]
    assert found == [40, 40, 60, 40]


@given(st.lists(st.tuples(st.sampled_from(GIVEN), st.booleans()), max_size=12))
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_kept_instance_answers_as_a_fresh_one(
    lights: Guest, given: list[tuple[object, bool]]
) -> None:
    same(lights, [asked(settings, absent=absent) for settings, absent in given])


WHOLE = asked({"video": "main=40", "lease_s": 90.0})
TWICE = WHOLE[:-1] + ', "settings": {"video": "main=70"}}'
BETWEEN = {
    "absent": asked(None, absent=True),
    "a number": asked(7),
    "a list": asked([]),
    "others": asked({"video": "main=70"}),
    "too long to keep": asked(LONG),
    "twice": TWICE,
    "cut": WHOLE[:-1],
    "others, cut": asked({"video": "main=70"})[:-1],
    "no object": "[]",
    "nothing": "",
}


@pytest.mark.parametrize("between", BETWEEN)
def test_what_comes_between_is_not_what_came_before(lights: Guest, between: str) -> None:
    same(lights, [WHOLE, BETWEEN[between], WHOLE, WHOLE, BETWEEN[between], BETWEEN[between]])
    same(lights, [BETWEEN[between], WHOLE, BETWEEN[between], asked({"video": "main=70"})])


def test_a_state_that_speaks_of_settings_is_no_settings(lights: Guest) -> None:
    state = json.dumps({"settings": {"video": "main=11"}})
    texts = [asked({"video": "main=40"}), asked({"video": "main=60"}, state=state)]
    same(lights, [*texts, asked(None, state=state, absent=True), texts[0]])


def test_what_is_broken_off_is_refused_and_the_next_call_is_right(lights: Guest) -> None:
    whole: Mapping[str, object] = {"video": "main=40", "lease_s": 90.0}
    text = asked(whole)
    with Instance(lights) as kept:
        assert level(kept.call("handle", text)) == 40
        assert kept.call("handle", text[:-2]) == ""
        assert kept.call("handle", text[:-1] + ",") == ""
        assert level(kept.call("handle", asked({"video": "main=70"}))) == 70
        assert level(kept.call("handle", text)) == 40
