"""What a running machine and the database of an earlier version say is understood by this one.

These texts were written by the first version that made machines and are never to be changed: a tag
that is not read any more would turn running machines into strangers.
"""

import msgspec

from cloud_bridge.types import Machine
from cloud_bridge.vms.domain import Tag, machine_of, read_tag

KEY = "069a9d22-172a-4f86-ada9-f4707aef6c04"
TAG = (
    f'<machine owner="site" key="{KEY}" meeting="weekly/1" rooms="aurora b%20c" template="small"'
    ' until="1780002000.0" created="1780000700.5" grace="60.0" memory="128" port="40001"'
    ' token="0123456789abcdef"/>'
)
ROW = (
    f'{{"key":"{KEY}","meeting":"weekly/1","rooms":["aurora","b c"],"template":"small",'
    '"phase":"booting","until":1780002000.0,"created":1780000700.5,"memory_mib":128,"grace_s":60.0,'
    '"address":"127.0.0.1:40001","token":"0123456789abcdef","ours":true,"detail":""}'
).encode()


def test_the_tag_on_a_machine_of_an_earlier_version_is_read() -> None:
    tag = read_tag(TAG)
    assert isinstance(tag, Tag)
    assert (tag.owner, tag.key, tag.rooms) == ("site", KEY, ("aurora", "b c"))
    assert (tag.until, tag.created, tag.grace_s) == (1780002000.0, 1780000700.5, 60.0)
    assert (tag.memory_mib, tag.port, tag.token) == (128, 40001, "0123456789abcdef")


def test_a_row_of_an_earlier_version_tells_the_same_machine() -> None:
    tag = read_tag(TAG)
    assert tag is not None
    assert msgspec.json.decode(ROW, type=Machine) == machine_of(tag, "booting")
