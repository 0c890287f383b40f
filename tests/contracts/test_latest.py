"""The last answer of a pure function is kept, and only for the very same objects."""

from edge.contracts.latest import latest


def test_it_is_asked_once_for_the_same_objects_and_again_for_others():
    asked = []

    @latest
    def names(mapping, letter):
        asked.append(letter)
        return [name for name in mapping if name.startswith(letter)]

    first = {"ab": 1, "cd": 2}
    assert names(first, "a") is names(first, "a")
    assert asked == ["a"]
    assert names(first, "c") == ["cd"]
    assert names({"ab": 1}, "c") == []
    assert names(dict(first), "c") == ["cd"]
    assert asked == ["a", "c", "c", "c"]


def test_an_equal_object_is_another_one():
    @latest
    def kept(mapping):
        return dict(mapping)

    one, other = {"a": 1}, {"a": 1}
    answer = kept(one)
    assert kept(other) == answer
    assert kept(other) is not answer
