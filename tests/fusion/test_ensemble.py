"""Each kind of evidence has one voice; what hurts when wrong needs several that agree."""

import itertools

import pytest

from edge.fusion.ensemble import NOBODY, SOMEBODY, nobody
from edge.fusion.state import Evidence

KINDS = ("camera", "voice", "motion", "air")
WORDS = {"no": NOBODY, "yes": SOMEBODY, "unsure": 0.0}


def said(kind, word, source=""):
    return Evidence(source or kind, WORDS[word], f"{kind} says {word}", kind)


@pytest.mark.parametrize("needed", [1, 2, 3, 4])
@pytest.mark.parametrize("words", list(itertools.product(["no", "yes", "unsure", ""], repeat=4)))
def test_every_kind_in_every_state(words, needed):
    evidence = [said(k, w) for k, w in zip(KINDS, words, strict=True) if w]
    air = words[KINDS.index("air")]
    wanted = needed + (air == "yes")
    expected = words.count("no") >= wanted and "yes" not in words[:3]
    assert nobody(evidence, needed).agreed is expected


def test_two_sensors_of_one_kind_are_one_voice_and_the_surer_of_somebody_speaks():
    assert not nobody([said("motion", "no", "a"), said("motion", "no", "b")], 2).agreed
    both = [said("motion", "no", "a"), said("motion", "yes", "b"), said("camera", "no")]
    for evidence in (both, both[::-1]):
        opinion = nobody(evidence, 1)
        assert (opinion.agreed, opinion.says) == (False, "b: motion says yes")


def test_it_says_what_it_rests_on():
    agree = [said("camera", "no"), said("voice", "no"), said("air", "unsure")]
    assert nobody(agree, 2).says == "camera: camera says no, voice: voice says no"
    assert nobody(agree, 3).says == "camera: camera says no, voice: voice says no"
    assert nobody([*agree, said("motion", "yes")], 2).says == "motion: motion says yes"
    assert nobody([], 1).says == "nothing says so"
    assert not nobody([], 1).agreed


def test_air_that_lags_asks_for_one_more_and_is_told_when_it_is_missing():
    air = said("air", "yes")
    two = [air, said("camera", "no"), said("voice", "no")]
    assert (nobody(two, 2).agreed, nobody(two, 2).says) == (False, "air: air says yes")
    opinion = nobody([*two, said("motion", "no")], 2)
    told = "camera: camera says no, voice: voice says no, motion: motion says no"
    assert (opinion.agreed, opinion.says) == (True, told)


def test_nothing_less_than_clear_counts():
    sure, other = said("camera", "no"), said("voice", "no")
    near = Evidence("air", NOBODY + 1e-6, "x", "air")
    assert not nobody([sure, near], 2).agreed
    against = Evidence("air", SOMEBODY - 1e-6, "x", "air")
    assert nobody([sure, other, against], 2).agreed
