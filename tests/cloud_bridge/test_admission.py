"""Room on the host over time: who gets it, and what is offered to who does not."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.plan import plan
from cloud_bridge.plan.admission import Calendar, Claim, Size
from cloud_bridge.plan.keep import NOT_EXTENDED
from cloud_bridge.types import Capacity, Machine, Plan, Records, Renew, Standing, Template, Wanted
from edge.contracts.wire import WantedMachine
from tests.cloud_bridge.cases import BIG, SMALL, T0, TEMPLATES, machine, now, row, wanted

HOST = Capacity(600, 2)
GPU = Template("gpu", 256, gpus=1, lead_s=300, grace_s=60)


def ask(
    wants: Wanted,
    *machines: Machine,
    at: float = 0,
    capacity: Capacity = HOST,
    heard: dict[str, float] | None = None,
) -> Plan:
    templates = {**TEMPLATES, "gpu": GPU}
    return plan(wants, machines, Records(heard=heard or {}), templates, capacity, now(at))


def standing(planned: Plan, key: str) -> Standing:
    return next(each for each in planned.standings if each.key == key)


def test_a_machine_that_will_not_fit_is_refused_when_it_is_booked() -> None:
    planned = ask(wanted(row("a", 5000, 6000, "big"), row("b", 5500, 6500, "big")))
    assert standing(planned, "a").phase == "wanted"
    refused = standing(planned, "b")
    assert refused.phase == "refused"
    assert refused.detail == "needs 512 MiB, 88 of 600 MiB are free"


def test_who_was_heard_of_first_is_admitted_first() -> None:
    both = wanted(row("a", 5000, 6000, "big"), row("b", 5500, 6500, "big"))
    planned = ask(both, heard={"a": 20.0, "b": 10.0})
    assert standing(planned, "a").phase == "refused"
    assert standing(planned, "b").phase == "wanted"


def test_the_next_free_slot_is_offered() -> None:
    planned = ask(wanted(row("a", 5000, 6000, "big"), row("b", 5500, 6500, "big")))
    refused = standing(planned, "b")
    # The first one's grace, then this one's lead.
    assert refused.next_start == T0 + 6000 + BIG.grace_s + BIG.lead_s
    moved = row("b", refused.next_start - T0, refused.next_start - T0 + 1000, "big")
    again = ask(wanted(row("a", 5000, 6000, "big"), moved))
    assert standing(again, "b").phase == "wanted"


def test_a_smaller_template_that_fits_is_offered() -> None:
    rows = wanted(row("a", 5000, 6000, "small"), row("b", 5500, 6500, "big"))
    assert standing(ask(rows), "b").smaller == "small"
    assert standing(ask(rows, capacity=Capacity(140, 2)), "b").smaller == ""


def test_machines_after_each_other_share_the_host() -> None:
    rows = [row(str(n), 5000 + n * 2000, 6000 + n * 2000, "big") for n in range(5)]
    assert {each.phase for each in ask(wanted(*rows)).standings} == {"wanted"}


def test_cores_gpus_and_an_organisers_quota_are_counted_too() -> None:
    rows = wanted(row("a", 5000, 6000, "small"), row("b", 5000, 6000, "small"))
    cores = ask(rows, capacity=Capacity(10_000, 2, vcpus=1))
    assert standing(cores, "b").detail == "needs 1 cores, 0 of 1 are free"
    gpus = wanted(row("a", 5000, 6000, "gpu"), row("b", 5900, 7000, "gpu"))
    assert standing(ask(gpus, capacity=Capacity(10_000, 2, gpus=1)), "b").phase == "refused"
    assert standing(ask(gpus, capacity=Capacity(10_000, 2, gpus=2)), "b").phase == "wanted"
    mine = [
        WantedMachine(key, f"m-{key}", "small", T0 + 5000, T0 + 6000, owner=owner)
        for key, owner in (("a", "ann"), ("b", "ann"), ("c", "bob"))
    ]
    shared = ask(wanted(*mine), capacity=Capacity(10_000, 2, per_owner=1))
    assert [standing(shared, key).phase for key in "abc"] == ["wanted", "refused", "wanted"]


def test_an_extension_is_granted_while_nobody_else_was_promised_the_room() -> None:
    planned = ask(wanted(row("a", 1000, 3000, "big")), machine("a", template="big"), at=1500)
    assert planned.actions == (Renew("a", T0 + 3000),)


def test_an_extension_does_not_take_what_the_next_meeting_was_promised() -> None:
    held = machine("a", template="big", memory_mib=512)
    rows = wanted(row("a", 1000, 9000, "big"), row("b", 6000, 7000, "big"))
    planned = ask(rows, held, at=1500)
    # Its grace ends where the other's lead begins.
    granted = T0 + 6000 - BIG.lead_s - held.grace_s
    assert planned.actions == (Renew("a", granted),)
    assert standing(planned, "a").detail == NOT_EXTENDED
    assert standing(planned, "b").phase == "wanted"


CLAIMS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(1, 50), st.integers(1, 300), st.integers(0, 3)),
    max_size=25,
)


def claims(drawn: list[tuple[int, int, int, int]]) -> list[Claim]:
    return [
        Claim(str(n), float(begin), float(begin + length), Size(memory, cores))
        for n, (begin, length, memory, cores) in enumerate(drawn)
    ]


@given(CLAIMS)
def test_what_was_admitted_never_exceeds_the_host(drawn: list[tuple[int, int, int, int]]) -> None:
    host = Capacity(500, 2, vcpus=4)
    calendar = Calendar(host)
    taken: list[Claim] = []
    for claim in claims(drawn):
        if not calendar.lacks(claim):
            calendar.take(claim)
            taken.append(claim)
        elif later := calendar.next_start(claim, 1e9):
            length = claim.end - claim.begin
            moved = Claim(claim.key, later, later + length, claim.size)
            assert later > claim.begin
            assert not calendar.lacks(moved)
    for instant in range(160):
        there = [claim for claim in taken if claim.begin <= instant < claim.end]
        assert sum(claim.size.memory_mib for claim in there) <= host.memory_mib
        assert sum(claim.size.vcpus for claim in there) <= host.vcpus


@given(CLAIMS, st.integers(1, 300))
def test_what_is_refused_would_really_exceed_it(
    drawn: list[tuple[int, int, int, int]], memory: int
) -> None:
    host = Capacity(500, 2)
    calendar = Calendar(host)
    taken = claims(drawn)
    for claim in taken:
        calendar.take(claim)
    one = Claim("one", 20.0, 60.0, Size(memory))
    peak = max(
        sum(c.size.memory_mib for c in taken if c.begin <= instant < c.end)
        for instant in range(20, 60)
    )
    assert bool(calendar.lacks(one)) == (peak + memory > host.memory_mib)
    until = calendar.fits_until(one)
    assert (until == one.end) == (peak + memory <= host.memory_mib)


def test_the_cases_know_both_templates() -> None:
    assert {SMALL.name, BIG.name} == set(TEMPLATES)
