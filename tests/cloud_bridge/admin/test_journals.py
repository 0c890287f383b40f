"""A room whose journal was replaced: the page shows the one it writes now."""

from cloud_bridge.store.looking import Search
from edge.contracts.signals import OperatorAsked, PeopleCounted
from tests.world.office import Office


def test_rows_of_two_journals_are_never_mixed(office: Office) -> None:
    tenant = office.tenant("aurora").online()
    for count in range(1, 30):
        tenant.say(PeopleCounted("camera", count))
    office.read()
    office.pass_time(60)
    tenant.new_journal("j2").say(PeopleCounted("camera", 2))
    tenant.say(OperatorAsked("panel", "set", actuator="light.main", value=33))
    office.read()
    (room,) = office.follower.facts.live
    assert room.count == 2
    rows = office.looks.search(Search(rooms=("aurora",), limit=100))
    assert [row.sequence for row in rows] == sorted((r.sequence for r in rows), reverse=True)
    assert len(rows) == tenant.sequence
