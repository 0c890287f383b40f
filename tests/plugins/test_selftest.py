"""How a plugin says who it is: at its own fault or not, and how often it may try."""

from collections.abc import Iterator

import msgspec
import pytest

from edge.plugins.errors import DeadlineError, PluginError
from edge.plugins.guest import Guest
from edge.plugins.manifest import Limits, Manifest
from edge.plugins.sandbox import Sandbox
from edge.plugins.selftest import PATIENCE_MS, introduce, tries
from tests.plugins.guests import component, guest

LOOP = "(loop $l (br $l))"
TRIES = 50
"""A second at the usual deadline of 20 ms."""


@pytest.fixture
def box() -> Iterator[Sandbox]:
    box = Sandbox()
    yield box
    box.close()


class Late:
    """A guest that the machine leaves no time for, the first few times it is asked."""

    def __init__(self, guest: Guest, times: int) -> None:
        self.limits, self._guest, self.left = guest.limits, guest, times

    def call(self, export: str, text: str | None) -> str:
        self.left -= 1
        if self.left >= 0:
            raise DeadlineError("ran over its deadline of 20 ms")
        return self._guest.call(export, text)

    def close(self) -> None:
        self._guest.close()


def made(box: Sandbox, describing: str = "") -> tuple[Guest, Manifest]:
    plugin = guest(component(describing=describing))
    return box.compile("guest.wasm", plugin.wasm, Limits()), plugin.manifest


def asked(used_s: float) -> Iterator[float]:
    """Yield a thread's processor time that grows by `used_s` between two looks."""
    now = 0.0
    while True:
        yield now
        now += used_s


@pytest.mark.parametrize("times", [0, 1, TRIES - 1])
def test_a_machine_without_time_for_it_keeps_no_plugin_out(box: Sandbox, times: int) -> None:
    late, clock = Late(made(box)[0], times), asked(0.0)
    introduce(late, made(box)[1], lambda: next(clock))  # type: ignore[arg-type]
    assert late.left == -1


def test_it_is_not_tried_for_ever(box: Sandbox) -> None:
    late, clock = Late(made(box)[0], 10**6), asked(0.0)
    with pytest.raises(DeadlineError, match="50 times: the machine is overloaded"):
        introduce(late, made(box)[1], lambda: next(clock))  # type: ignore[arg-type]
    assert late.left == 10**6 - TRIES


def test_a_guest_that_says_it_is_another_leaves_no_instance_behind(box: Sandbox) -> None:
    guest_, manifest = made(box)
    with pytest.raises(PluginError, match="says it is"):
        introduce(guest_, msgspec.structs.replace(manifest, id="another"))
    assert (guest_._used, guest_._ready) == (None, None)


@pytest.mark.parametrize("deadline_ms", [1, 20, 300, 1000, 5000])
def test_the_others_wait_about_a_second_for_it(deadline_ms: int) -> None:
    count = tries(Limits(deadline_ms=deadline_ms))
    assert count == 2 or count * deadline_ms <= PATIENCE_MS


def test_a_guest_that_used_its_time_is_not_asked_again(box: Sandbox) -> None:
    late, clock = Late(made(box)[0], 10**6), asked(0.005)
    with pytest.raises(DeadlineError):
        introduce(late, made(box)[1], lambda: next(clock))  # type: ignore[arg-type]
    assert late.left == 10**6 - 1


def test_one_that_never_says_who_it_is_is_stopped(box: Sandbox) -> None:
    endless, manifest = made(box, LOOP)
    with pytest.raises(DeadlineError, match="ran over its deadline of 20 ms"):
        introduce(endless, manifest)
