from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import OperatorError
from pp_host.trust.schema import read_schema, validate_config

PROPERTIES = {
    "markets": {"type": "integer", "minimum": 1, "maximum": 100, "default": 40},
    "edge": {"type": "number", "minimum": 0, "maximum": 0.5, "description": "the least edge worth a trade"},
    "side": {"type": "string", "enum": ["yes", "no"], "default": "yes"},
    "loud": {"type": "boolean", "default": False},
    "note": {"type": "string"},
}
WHOLE = {"type": "object", "properties": PROPERTIES, "required": ["edge"], "additionalProperties": False}


def read(document: object):
    return read_schema(json.dumps(document).encode(), "config.schema.json")


def test_defaults_are_filled_in_in_order():
    settings = validate_config(read(WHOLE), {"note": "n", "edge": 0.02})
    assert list(settings.items()) == [
        ("markets", 40),
        ("edge", 0.02),
        ("side", "yes"),
        ("loud", False),
        ("note", "n"),
    ]


def test_given_values_win():
    config = {"markets": 7, "edge": 0, "side": "no", "loud": True, "note": ""}
    assert validate_config(read(WHOLE), config) == config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "config.edge: missing"),
        ({"edge": 0.1, "edges": 1}, "config.edges: unknown key"),
        ({"edge": "0.1"}, "config.edge: expected number, got str"),
        ({"edge": True}, "config.edge: expected number, got bool"),
        ({"edge": 0.6}, "config.edge: expected at most 0.5"),
        ({"edge": -0.1}, "config.edge: expected at least 0"),
        ({"edge": math.nan}, "config.edge: not a number that every reader holds exactly"),
        ({"edge": math.inf}, "config.edge: not a number that every reader holds exactly"),
        ({"edge": 0, "markets": 2.0}, "config.markets: expected integer, got float"),
        ({"edge": 0, "markets": 0}, "config.markets: expected at least 1"),
        ({"edge": 0, "markets": 101}, "config.markets: expected at most 100"),
        ({"edge": 0, "markets": 2**60}, "config.markets: not a number that every reader holds exactly"),
        ({"edge": 0, "side": "maybe"}, "config.side: expected one of yes, no"),
        ({"edge": 0, "loud": 1}, "config.loud: expected boolean, got int"),
        ({"edge": 0, "note": ["x"]}, "config.note: expected string, got list"),
        ({"edge": 0, "note": "x" * 5000}, "config.note: longer than 4096 characters"),
    ],
)
def test_other_configs_are_refused_by_key(config, message):
    with pytest.raises(OperatorError) as caught:
        validate_config(read(WHOLE), config)
    assert str(caught.value) == message


def test_hints_come_from_the_schema():
    with pytest.raises(OperatorError) as caught:
        validate_config(read(WHOLE), {"edge": 2})
    assert caught.value.hint == "the least edge worth a trade"
    with pytest.raises(OperatorError) as caught:
        validate_config(read(WHOLE), {"edges": 2})
    assert caught.value.hint == "this plugin's settings: markets, edge, side, loud, note"


def changed(**properties: object) -> dict[str, object]:
    return {**WHOLE, "properties": {**PROPERTIES, **properties}}


@pytest.mark.parametrize(
    "document",
    [
        {**WHOLE, "additionalProperties": True},
        {**WHOLE, "type": "array"},
        {**WHOLE, "required": ["absent"]},
        {**WHOLE, "patternProperties": {}},
        {**WHOLE, "$ref": "#"},
        {**WHOLE, "$schema": "http://json-schema.org/draft-07/schema"},
        {key: value for key, value in WHOLE.items() if key != "additionalProperties"},
        {key: value for key, value in WHOLE.items() if key != "properties"},
        changed(x={"type": "array"}),
        changed(x={"type": "string", "pattern": "^(a+)+$"}),
        changed(x={"default": 1}),
        changed(x={"type": "integer", "default": "1"}),
        changed(x={"type": "integer", "default": 5, "maximum": 4}),
        changed(x={"type": "string", "enum": []}),
        changed(x={"type": "string", "enum": [1]}),
        changed(x={"type": "string", "enum": ["a"], "default": "b"}),
        changed(x={"type": "boolean", "default": 0}),
        changed(**{"Bad-Key": {"type": "string"}}),
        changed(**{f"k{n}": {"type": "string"} for n in range(300)}),
        [],
        "x",
    ],
)
def test_other_schemas_are_refused(document):
    with pytest.raises(OperatorError, match=r"^config\.schema\.json: "):
        read(document)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b'{"type":"object","type":"object"}', b"[" * 100_000, b"NaN"]
)
def test_what_is_no_strict_json_is_refused(data):
    with pytest.raises(OperatorError, match=r"^config\.schema\.json: not strict JSON"):
        read_schema(data, "config.schema.json")


def test_its_size_is_bounded():
    document = {**WHOLE, "description": "x" * 300_000}
    with pytest.raises(OperatorError, match=r"^config\.schema\.json: larger than 262,144 bytes$"):
        read(document)


def test_the_dialect_may_be_named():
    named = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "t",
        "description": "d",
        **WHOLE,
    }
    assert validate_config(read(named), {"edge": 0.1})["edge"] == 0.1


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from([*PROPERTIES, "other"]), scalars, max_size=6))
def test_what_passes_is_within_the_schema(config):
    try:
        settings = validate_config(read(WHOLE), config)
    except OperatorError:
        return
    assert settings.keys() <= PROPERTIES.keys()
    assert type(settings["markets"]) is int
    assert 1 <= settings["markets"] <= 100
    assert 0 <= settings["edge"] <= 0.5
    assert settings["side"] in {"yes", "no"}
    assert type(settings["loud"]) is bool
