"""A domain that ended keeps its name for a moment in which nobody can see it."""

from itertools import chain, repeat

import libvirt
import pytest

from cloud_bridge.vms import libvirt as provider


class Refused(libvirt.libvirtError):
    """What libvirt said, in our own words: its error takes the last one said in this thread."""

    def __init__(self, why: str) -> None:
        Exception.__init__(self, f"operation failed: {why}")
        self.err = None


class Host:
    """A host whose domain of that name is being removed for the first few times it is asked."""

    def __init__(self, refusals: int, why: str = "domain 'x' is already being removed") -> None:
        self.answers = chain(repeat(Refused(why), refusals), repeat(None))
        self.asked = 0

    def createXML(self, _xml: str, _flags: int) -> None:  # noqa: N802 (libvirt's name)
        self.asked += 1
        if (error := next(self.answers)) is not None:
            raise error


@pytest.mark.parametrize("refusals", [0, 1, 3])
def test_a_machine_is_made_once_the_one_before_it_has_let_go_of_its_name(refusals: int) -> None:
    host = Host(refusals)
    provider.create(host, "<domain/>")  # type: ignore[arg-type]
    assert host.asked == refusals + 1


def test_what_else_is_refused_is_told_at_once() -> None:
    host = Host(1, "no room")
    with pytest.raises(libvirt.libvirtError, match="no room"):
        provider.create(host, "<domain/>")  # type: ignore[arg-type]
    assert host.asked == 1


def test_a_removal_without_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "REMOVAL_S", 0.0)
    host = Host(10)
    with pytest.raises(libvirt.libvirtError, match="being removed"):
        provider.create(host, "<domain/>")  # type: ignore[arg-type]
    assert host.asked == 1
