"""The event types: one per kind, one meaning per field, and who may be told what, derived from the types alone."""

from __future__ import annotations

import re
import string
from collections import defaultdict
from typing import Annotated, get_args, get_type_hints

import msgspec
import pp_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_sdk import events as module
from pp_sdk.events import Amount, Detail, Event, EventKind, Fill, Words
from pp_sdk.redaction import HIDDEN, MOST, marks, narrowed, ratio
from pp_sdk.testing import EQUITY, event, events
from pp_sdk.types import MICRO
from pp_sdk.wire.messages import EVENTS_MOST, METHODS, Notify, decode_body

KINDS = get_args(Event)
# What tells an account's size when it is known: said here a second time, so that a type alone cannot open it.
AMOUNTS = [
    "shares",
    "yes_shares",
    "no_shares",
    "filled",
    "amount",
    "fee",
    "reserve",
    "cost",
    "payout",
    "realised",
    "equity",
    "cash",
    "exposure",
]


def tag(kind):
    return kind.__struct_config__.tag


def test_every_kind_can_be_asked_for_but_the_notice_of_missed_ones():
    assert len(KINDS) == len(get_args(EventKind)) + 1
    assert {tag(kind) for kind in KINDS} - set(get_args(EventKind)) == {"missed"}
    assert [one.kind for one in events()] == [tag(kind) for kind in KINDS]


def test_every_kind_is_in_the_authors_vocabulary_and_matches_by_type():
    assert {kind.__name__ for kind in KINDS} <= set(pp_sdk.__all__)
    for one in events():
        match one:
            case Fill(shares=shares):
                assert (one.kind, shares) == ("fill", 25 * MICRO)
            case _:
                assert one.kind != "fill"


def test_a_field_of_one_name_has_one_type():
    types = defaultdict(set)
    for kind in KINDS:
        for name, hint in get_type_hints(kind, include_extras=True).items():
            types[name].add(str(hint))
    assert {name: found for name, found in types.items() if len(found) > 1} == {}


def test_an_event_is_frozen_and_has_no_other_fields():
    with pytest.raises(AttributeError):
        event(Fill).shares = 1
    with pytest.raises(msgspec.ValidationError, match="unknown field `extra`"):
        msgspec.convert({**msgspec.to_builtins(event(Fill)), "extra": 1}, Event)


@pytest.mark.parametrize("detail", get_args(Detail))
def test_an_event_travels_under_its_kind(detail):
    for one in events(detail):
        body = msgspec.msgpack.encode(Notify(events=[one], patience=1))
        (back,) = decode_body(body, Notify).events
        assert (back, type(back)) == (one, type(one))
        assert next(iter(msgspec.msgpack.decode(body)["events"][0].items())) == ("kind", one.kind)


def test_a_full_delivery_of_the_longest_texts_fits_into_a_frame():
    longest = event(
        module.DecisionMade,
        **dict.fromkeys(("plugin", "market", "outcome"), "\U0001f600" * 255),
        text="\U0001f600" * 2000,
    )
    connection = pp_sdk.wire.connection.Connection(pp_sdk.wire.messages.Side.HOST)
    connection.enter(pp_sdk.wire.messages.State.RUNNING)
    assert connection.request("notify", Notify(events=[longest] * EVENTS_MOST, patience=0))
    assert METHODS["notify"].request is Notify


# -- who is told what


def test_every_amount_is_marked_and_every_other_number_is_not_one():
    for kind in KINDS:
        hidden = HIDDEN[kind]
        assert set(hidden.amounts) == set(kind.__struct_fields__) & set(AMOUNTS), kind
        assert set(hidden.words) == set(kind.__struct_fields__) & {"text", "max_spend"}, kind


def test_a_field_that_does_not_say_who_may_be_told_is_an_error():
    class Careless(msgspec.Struct):
        shares: int

    class Marked(msgspec.Struct):
        shares: Amount
        text: Words
        name: Annotated[str, msgspec.Meta(extra={"detail": "none"})]

    Careless.__module__ = Marked.__module__ = __name__
    with pytest.raises(TypeError, match=re.escape("Careless.shares does not say who may be told")):
        marks(Careless)
    assert marks(Marked) == {"shares": "ratio", "text": "exact", "name": "none"}


LARGE = st.integers(10**14, 10**15 - 1)  # fifteen digits that no time, price or count below has


@st.composite
def told(draw):
    """Any event whose amounts are large numbers, with words that tell them, and the numbers."""
    kind = draw(st.sampled_from(KINDS))
    amounts = {name: draw(LARGE) for name in HIDDEN[kind].amounts}
    secret = draw(LARGE)
    words = {
        name: secret
        if name == "max_spend"
        else draw(st.text(string.printable, max_size=50))
        + "".join(f" {n}" for n in [secret, *amounts.values()])
        for name in HIDDEN[kind].words
    }
    sized = event(kind, **amounts, **words)
    return sized, {*amounts.values(), secret}


@given(told(), st.sampled_from(["none", "ratio"]), LARGE)
def test_no_hidden_amount_is_told_in_any_field_or_text(case, detail, equity):
    one, numbers = case
    seen = narrowed(one, detail, equity)
    printed = msgspec.json.encode(seen).decode()
    assert [number for number in {*numbers, equity} if str(number) in printed] == []
    for name in HIDDEN[type(one)].amounts:
        expected = None if detail == "none" else getattr(one, name) * MICRO // equity
        assert getattr(seen, name) == expected
    assert {getattr(seen, name) for name in HIDDEN[type(one)].words} <= {None}
    assert seen.detail == detail


@given(told(), st.sampled_from(get_args(Detail)), LARGE)
def test_what_is_not_hidden_is_told_as_it_is(case, detail, equity):
    one, _ = case
    seen = narrowed(one, detail, equity)
    hidden = {*HIDDEN[type(one)].amounts, *HIDDEN[type(one)].words, "detail"}
    assert type(seen) is type(one)
    for name in set(one.__struct_fields__) - hidden:
        assert getattr(seen, name) == getattr(one, name)
    assert detail != "exact" or seen is one


def test_a_figure_that_an_agent_chose_does_not_tell_the_equity_by_its_ratio():
    wish = event(module.DecisionMade, max_spend=2**62)
    assert narrowed(wish, "ratio", EQUITY).max_spend is None
    assert narrowed(wish, "exact", EQUITY).max_spend == 2**62


@pytest.mark.parametrize("equity", [None, 0, -5])
def test_without_an_equity_there_is_no_ratio(equity):
    assert narrowed(event(Fill), "ratio", equity).shares is None
    assert narrowed(event(Fill), "ratio", EQUITY).shares == 25_000
    assert narrowed(narrowed(event(Fill), "none", EQUITY), "ratio", EQUITY).shares is None


@pytest.mark.parametrize(
    ("amount", "equity", "parts"),
    [(1, 3, 333_333), (-1, 3, -333_334), (0, 1, 0), (10**18, 1, MOST), (-(10**18), 1, -MOST)],
)
def test_a_ratio_is_rounded_down_and_stays_on_the_wire(amount, equity, parts):
    assert ratio(amount, equity) == parts
