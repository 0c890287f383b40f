"""The contract of every provider, on the real thing: one suite, a case for each in ENTRIES."""

import threading

import pytest

from cloud_bridge.types import Machine
from cloud_bridge.vms.base import Provider, VmError, VmRefusedError
from tests.cloud_bridge.service import new_key
from tests.cloud_bridge.vms.case import Case, Closable, spec
from tests.world.waiting import until, within

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def of(provider: Provider, key: str) -> list[Machine]:
    return [machine for machine in provider.list() if machine.key == key]


def test_a_machine_lives_answers_is_renewed_and_ends(provider: Closable, case: Case) -> None:
    key = new_key()
    wish = spec(key, template=case.template)
    machine = provider.ensure(wish)
    until(lambda: case.answers(machine), case.boot_s, "its page")
    (listed,) = of(provider, key)
    assert listed == machine
    assert (listed.ours, listed.rooms, listed.meeting) == (True, wish.rooms, wish.meeting)
    assert (listed.template, listed.memory_mib) == (wish.template.name, wish.template.memory_mib)
    assert (listed.until, listed.grace_s) == (2e9, wish.template.grace_s)
    assert listed.phase == "booting"
    provider.renew(key, 3e9)
    provider.renew(key, 2.5e9)
    assert [each.until for each in of(provider, key)] == [2.5e9]
    provider.delete(key)
    provider.delete(key)
    until(lambda: not of(provider, key), 30, "gone")
    assert not case.answers(machine)


def test_ensuring_twice_and_from_many_threads_makes_one_machine(
    provider: Closable, case: Case
) -> None:
    key = new_key()
    wish = spec(key, template=case.template)
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(provider.ensure(wish).token))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(400)
    tokens.append(provider.ensure(wish).token)
    assert len(tokens) == 5
    assert len(set(tokens)) == 1
    assert len(of(provider, key)) == 1
    provider.delete(key)


def test_a_machine_is_found_again_with_its_lease_after_a_restart(case: Case) -> None:
    key = new_key()
    before = case.provider("ours")
    machine = before.ensure(spec(key, template=case.template))
    before.renew(key, 2.25e9)
    (known,) = of(before, key)
    before.close()
    after = case.provider("ours")
    try:
        assert of(after, key) == [known]
        assert after.ensure(spec(key, template=case.template)).token == machine.token
        until(lambda: case.answers(machine), case.boot_s, "its page")
    finally:
        after.delete(key)
        after.close()


def test_a_machine_that_was_killed_is_seen_and_made_anew(provider: Closable, case: Case) -> None:
    key = new_key()
    machine = provider.ensure(spec(key, template=case.template))
    until(lambda: case.answers(machine), case.boot_s, "its page")
    case.kill(key)
    until(lambda: all(m.phase == "dead" for m in of(provider, key)), 30, "seen dead or not at all")
    provider.delete(key)
    until(lambda: not of(provider, key), 30, "gone")
    again = provider.ensure(spec(key, template=case.template))
    assert again.token != machine.token
    until(lambda: case.answers(again), case.boot_s, "its page")
    provider.delete(key)


def test_the_machine_of_another_service_is_listed_as_such_and_never_touched(
    provider: Closable, case: Case
) -> None:
    key = new_key()
    other = case.provider("somebody-else")
    other.ensure(spec(key, template=case.template))
    assert all(not machine.ours for machine in provider.list() if key in machine.key)
    for touch in (
        lambda: provider.delete(key),
        lambda: provider.renew(key, 1.0),
        lambda: provider.ensure(spec(key, template=case.template)),
    ):
        with pytest.raises(VmRefusedError, match="not ours"):
            touch()
    assert len(of(other, key)) == 1
    other.delete(key)
    other.close()


def test_a_machine_without_our_tag_is_a_stranger(provider: Closable, case: Case) -> None:
    with case.stranger() as key:
        assert [machine.ours for machine in of(provider, key)] == [False]
        with pytest.raises(VmRefusedError):
            provider.delete(key)
        assert [machine.ours for machine in of(provider, key)] == [False]


def test_what_cannot_be_made_is_told_with_the_remedy(provider: Closable, case: Case) -> None:
    for template, words in case.unmade.items():
        key = new_key()
        with pytest.raises(VmError, match=words):
            provider.ensure(spec(key, template=template))
        assert not of(provider, key)
    with pytest.raises(VmRefusedError, match="no UUID"):
        provider.ensure(spec("../../etc/passwd", template=case.template))
    with pytest.raises(VmError, match="gone"):
        provider.renew(new_key(), 1.0)
    provider.delete(new_key())


def test_capacity_is_what_is_configured(provider: Closable, case: Case) -> None:
    capacity = provider.capacity()
    assert (capacity.memory_mib, capacity.boots) == (case.memory_mib, case.boots)


def test_listing_is_quick_enough_to_poll(provider: Closable, case: Case) -> None:
    with within(case.ten_lists_s):
        for _ in range(10):
            provider.list()
