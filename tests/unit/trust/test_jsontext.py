from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import OperatorError
from pp_host.trust import jsontext


def test_numbers_stay_exact():
    assert jsontext.parse(b'{"a": 50.25, "b": 7, "c": [1e2]}', "f") == {
        "a": Decimal("50.25"),
        "b": 7,
        "c": [Decimal("1e2")],
    }


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b'{"x": {"a": 1, "a": 1}}', "the key 'a' stands twice"),
        (b"NaN", "NaN is not a number"),
        (b"[-Infinity]", "-Infinity is not a number"),
        (b"{} {}", "Extra data"),
        (b"", "Expecting value"),
        (b"\xff", "invalid start byte"),
        (b"\xef\xbb\xbf{}", "Unexpected UTF-8 BOM"),
        (b"[" * 200_000, ""),
        (b"1" * 5000, ""),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"\\udfff": 1}', "surrogates not allowed"),
    ],
)
def test_what_is_not_strict_is_refused(data, what):
    with pytest.raises(OperatorError, match="^f: not strict JSON: ") as caught:
        jsontext.parse(data, "f")
    assert what in str(caught.value)


def test_a_whole_pair_of_surrogates_is_a_letter():
    assert jsontext.parse(b'"\\ud83d\\ude00"', "f") == "\U0001f600"


def test_shapes_are_checked():
    assert jsontext.read(b"[1, 2]", list[int], "f") == [1, 2]
    with pytest.raises(OperatorError, match=r"^f: Expected `int`, got `str` - at `\$\[1\]`$"):
        jsontext.read(b'[1, "2"]', list[int], "f")


@given(st.binary(max_size=100) | st.text('[]{}",:0123456789.eE+-NaN \\u', max_size=40).map(str.encode))
def test_it_agrees_with_the_library_or_refuses(data):
    try:
        value = jsontext.parse(data, "f")
    except OperatorError:
        return
    assert json.loads(data, parse_float=Decimal) == value
