"""Connect codes: what is shown, what is typed, and what of it is kept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts import codes

KEY = "0d1c2b3a-0000-4000-8000-000000000001"
OTHER = "0d1c2b3a-0000-4000-8000-000000000002"


@settings(max_examples=200)
@given(st.binary(min_size=16, max_size=16))
def test_a_code_is_short_and_cannot_be_misread(chance: bytes) -> None:
    code = codes.mint(KEY, chance)
    assert len(code) == 9
    assert code.startswith(codes.place(KEY))
    assert not set(code) & set("0O1ILBSVZ")
    assert codes.typed(codes.shown(code)) == code
    assert codes.typed(f"  {codes.shown(code).lower()} ") == code


def test_only_its_own_seal_opens() -> None:
    code = codes.mint(KEY, bytes(range(16)))
    sealed = codes.seal(code, KEY)
    assert codes.is_seal(sealed)
    assert code not in sealed
    assert codes.opens(code, KEY, sealed)
    assert not codes.opens(code[:-1] + ("2" if code[-1] != "2" else "3"), KEY, sealed)
    assert not codes.opens(code, OTHER, sealed)
    assert not codes.opens(code, KEY, "")


@pytest.mark.parametrize(
    "text",
    ["", "ABC", "0O1-ILB-SVZ", "ABC-DEF-GH\0", "A" * 10, "A-" * 5000, "../../etc", "ÄBC-DEF-GHJ"],
)
def test_what_is_no_code_is_none(text: str) -> None:
    assert codes.typed(text) == ""


@given(st.text(max_size=60))
def test_any_text_is_a_code_or_nothing(text: str) -> None:
    found = codes.typed(text)
    assert found == "" or (len(found) == 9 and set(found) <= set(codes.ALPHABET))
