"""The arbitrage rule through the wire: what it buys pays at least what it cost while its assumption holds."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_sdk import CLOSED, MICRO, Account, Decision, Position
from pp_sdk.testing import START, FakeHost, check_agent, market

FOLDER = Path(__file__).parents[1]
CENT = MICRO // 100
ACCOUNT = Account(precision="exact", equity=1000 * MICRO, cash=1000 * MICRO)
FREE = {"fee_rate": 0, "fee_exponent": 1}
FEE = {"fee_rate": 40_000, "fee_exponent": 1}


def opened(config: dict[str, Any] | None = None, account: Account | None = ACCOUNT) -> FakeHost:
    return FakeHost(FOLDER, config, account=account)


def of(name: str, yes: int, no: int, *, event: str = "", size: int = 1000, fee: dict = FREE, **fields: Any):
    """A market whose outcomes are asked at `yes` and `no` cents, bids two cents below."""
    sides = {}
    for outcome, ask in (("yes", yes), ("no", no)):
        sides[f"{outcome}_asks"] = ((ask * CENT, size * MICRO),)
        sides[f"{outcome}_bids"] = (((ask - 2) * CENT, size * MICRO),) if ask > 2 else ()
    return market(name, **{"event": event, **sides, **fee, **fields})


def legs(decisions: list[Decision]) -> list[tuple[str, str, int | None]]:
    return [(wish.market, wish.outcome, wish.limit_price) for wish in decisions]


def sized(wish: Decision, fee: dict) -> int:
    """The micro-shares that max_spend allows at its limit, in hundredths: the host's way, less its 220 for rounding."""
    assert wish.max_spend is not None
    assert wish.limit_price is not None
    return int((wish.max_spend - 220) * MICRO / unit(wish.limit_price, fee)) // 10_000 * 10_000


def unit(price: int, fee: dict) -> Fraction:
    """Micro-USD for a share: price + rate x (p(1 - p))^exponent dollars, from first principles."""
    p = Fraction(price, MICRO)
    return MICRO * (p + Fraction(fee["fee_rate"], MICRO) * (p * (1 - p)) ** fee["fee_exponent"])


# -- one market ----------------------------------------------------------------------------------------------


def test_both_outcomes_of_a_market_below_one_dollar_are_bought():
    with opened() as host:
        wishes = host.decide(of("m", 45, 50))
    assert legs(wishes) == [("m", "yes", 450_000), ("m", "no", 500_000)]
    assert {wish.side for wish in wishes} == {"buy"}
    assert wishes[0].rationale == (
        "YES and NO of m: asks sum to 950000 of 1000000 micro-USD, fees 0, profit 50000 micro-USD a set"
    )


@pytest.mark.parametrize(
    ("yes", "no", "fee"),
    [(50, 50, FREE), (48, 53, FREE), (49, 50, FEE)],
    ids=["exactly one", "above one", "eaten by the fee"],
)
def test_what_does_not_pay_after_fees_is_left_alone(yes, no, fee):
    with opened() as host:
        assert host.decide(of("m", yes, no, fee=fee)) == []


def test_the_margin_is_after_fees():
    row = of("m", 46, 50, fee=FEE)
    profit = MICRO - unit(460_000, FEE) - unit(500_000, FEE)
    assert 20_000 < profit < 40_000
    with opened({"margin_micros": int(profit)}) as host:
        assert len(host.decide(row)) == 2
    with opened({"margin_micros": int(profit) + 1}) as host:
        assert host.decide(row) == []


def test_a_row_that_states_no_fee_has_the_operators():
    row = of("m", 48, 50, fee={})
    with opened({"fee_rate_ppm": 0}) as host:
        assert len(host.decide(row)) == 2
    with opened({"fee_rate_ppm": 70_000}) as host:
        assert host.decide(row) == []


# -- the markets of an event ---------------------------------------------------------------------------------


def event(*nos: int, yes: int = 60, **fields: Any):
    """Markets of one event with these NO asks."""
    return [of(f"m{n}", yes, no, event="rain", **fields) for n, no in enumerate(nos)]


def test_no_of_all_markets_of_an_event_is_bought_where_one_at_most_can_win():
    with opened() as host:
        wishes = host.decide(*event(60, 60, 70))
    assert sorted(legs(wishes)) == [("m0", "no", 600_000), ("m1", "no", 600_000), ("m2", "no", 700_000)]
    assert "NO of 3 markets of rain: asks sum to 1900000 of 2000000 micro-USD" in wishes[0].rationale


def test_without_the_assumption_it_is_not():
    with opened({"assume_exclusive": False}) as host:
        assert host.decide(*event(60, 60, 70)) == []


def test_a_missing_market_does_not_matter_to_no():
    closed = of("m9", 60, 60, event="rain", status=CLOSED)
    with opened() as host:
        assert len(host.decide(*event(60, 60, 70), closed)) == 3


def test_no_takes_the_cheapest_legs_when_there_are_too_many():
    with opened({"most_legs": 2}) as host:
        assert [leg[:2] for leg in legs(host.decide(*event(60, 45, 40)))] == [("m2", "no"), ("m1", "no")]


YES_CHEAP = [of(f"m{n}", 30, 75, event="rain") for n in range(3)]


def test_yes_of_all_markets_is_bought_only_by_those_who_accept_that_none_may_win():
    with opened() as host:
        assert host.decide(*YES_CHEAP) == []
    with opened({"accept_missing_winner": True}) as host:
        assert [leg[:2] for leg in legs(host.decide(*YES_CHEAP))] == [
            ("m0", "yes"),
            ("m1", "yes"),
            ("m2", "yes"),
        ]


def test_yes_of_all_markets_is_not_bought_of_a_strategys_selection():
    scores = {"m0": 1_000_000, "m1": 1, "m2": 0}
    with opened({"accept_missing_winner": True}) as host:
        assert host.decide(*YES_CHEAP, scores=scores) == []
        assert len(host.decide(*event(60, 60, 70), scores=scores)) == 3, "NO needs no others"


@pytest.mark.parametrize(
    "hole",
    [of("m9", 30, 75, event="rain", status=CLOSED), of("m9", 1, 99, event="rain", yes_asks=())],
    ids=["closed", "no ask"],
)
def test_yes_is_bought_of_all_markets_shown_or_of_none(hole):
    with opened({"accept_missing_winner": True}) as host:
        assert host.decide(*YES_CHEAP, hole) == []


def test_markets_of_no_event_or_of_different_events_are_no_set():
    with opened() as host:
        assert host.decide(*(of(f"m{n}", 60, 40) for n in range(3))) == []
        assert host.decide(*(of(f"m{n}", 60, 40, event=f"e{n}") for n in range(3))) == []


# -- what is a leg -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"quoted_at": START - 121 * MICRO},
        {"quoted_at": None},
        {"ends_at": START},
        {"status": CLOSED},
        {"no_bids": ()},
        {"tick": 40_000},
    ],
    ids=["stale", "no time of quote", "ended", "closed", "too wide", "off its tick"],
)
def test_what_the_host_would_refuse_is_no_leg(fields):
    with opened() as host:
        assert host.decide(of("m", 45, 50, **fields)) == []
        assert len(host.decide(of("m", 45, 50, ends_at=START + 1))) == 2


def test_a_price_outside_the_band_is_no_leg():
    cheap = of("m", 1, 90, yes_asks=((5_000, 1000 * MICRO),), tick=5_000)
    with opened() as host:
        assert host.decide(cheap) == []
    with opened({"lowest_price_micros": 5_000}) as host:
        assert len(host.decide(cheap)) == 2


# -- whole sets or none --------------------------------------------------------------------------------------


def test_every_leg_is_for_as_many_shares_as_the_smallest_holds():
    with opened() as host:
        wishes = host.decide(of("m", 45, 50, no_asks=((50 * CENT, 7_654_321),)))
    assert [sized(wish, FREE) for wish in wishes] == [7_650_000, 7_650_000]


def test_a_market_in_which_something_is_held_is_left_alone():
    held = Position(market="m", outcome="yes", shares=MICRO, cost=MICRO)
    with opened(account=Account(precision="exact", equity=10**9, cash=10**9, positions=(held,))) as host:
        assert host.decide(of("m", 45, 50)) == []
        assert len(host.decide(of("m", 45, 50), of("other", 45, 50))) == 2


@pytest.mark.parametrize(
    "account",
    [
        None,
        Account(precision="ratio", equity=MICRO, cash=MICRO),
        Account(precision="exact", equity=10**9, cash=MICRO),
    ],
    ids=["unseen", "ratio", "no cash"],
)
def test_without_an_account_that_can_pay_for_a_set_it_only_tells(account):
    with opened(account=account) as host:
        assert host.decide(of("m", 45, 50, min_size=5 * MICRO)) == []
        assert "profit 50000 micro-USD a set" in host.logs[0].message


def test_a_gap_too_good_to_be_true_is_told_and_not_bought():
    with opened() as host:
        assert host.decide(of("m", 20, 40)) == []
        assert host.logs[0].message.endswith("implausible, not bought")
        assert len(host.decide(of("m", 45, 50))) == 2


def test_it_begins_the_most_profitable_sets_and_no_more():
    with opened({"most_sets": 1}) as host:
        assert {wish.market for wish in host.decide(of("a", 45, 50), of("b", 40, 50))} == {"b"}


# -- what it tells -------------------------------------------------------------------------------------------


def messages(host: FakeHost) -> Iterator[str]:
    return (line.message for line in host.logs)


def test_a_table_full_of_sets_does_not_make_it_a_flood():
    """The host ends a plugin that sends too much at once, and no source shall bring that about."""
    with opened({"most_sets": 1}) as host:
        host.decide(*(of(f"m{number:04d}", 45, 50) for number in range(1500)))
        told = list(messages(host))
    assert len(told) == 21
    assert told[-1] == "and 1480 sets more in this observation"


def test_it_counts_what_it_saw_and_what_came_of_it():
    with opened({"summary_every": 4, "most_sets": 1}) as host:
        wishes = host.decide(of("m", 45, 50))
        shares = {(wish.market, wish.outcome): sized(wish, FREE) for wish in wishes}
        whole = tuple(Position(market=m, outcome=o, shares=n, cost=MICRO) for (m, o), n in shares.items())
        host.account = Account(precision="exact", equity=10**9, cash=10**9, positions=whole)
        host.decide(of("m", 45, 50), of("n", 45, 51))
        host.account = Account(precision="exact", equity=10**9, cash=10**9, positions=(*whole, half(3)))
        host.decide(of("m", 45, 55), of("n", 45, 55))
        host.decide(of("m", 45, 50), of("n", 20, 20))
        told = list(messages(host))
    assert told[-1] == (
        "summary after 4 observations: 4 violations in 3 stretches (pair 4, no 0, yes 0), profit per set in "
        "micro-USD: best 50000, sum 190000, sum at first sight 140000; implausible 1; sets wished 2, complete 1, "
        "broken 1, refused 0"
    )
    assert "YES and NO of n: the legs differ, from 0.00 to 3.00 shares" in told[2]


def half(shares: int) -> Position:
    return Position(market="n", outcome="yes", shares=shares * MICRO, cost=MICRO)


def test_a_set_is_told_again_only_when_it_is_worth_a_cent_more():
    with opened(account=None) as host:
        for yes in (45, 45, 46, 44):
            host.decide(of("m", yes, 50))
        assert [line.split("profit ")[1] for line in messages(host)] == [
            "50000 micro-USD a set, 1000.00 sets on offer",
            "60000 micro-USD a set, 1000.00 sets on offer",
        ]


def test_it_keeps_the_contract():
    check_agent(FOLDER)
    check_agent(FOLDER, {"accept_missing_winner": True, "margin_micros": 0})


# -- properties ----------------------------------------------------------------------------------------------

FEES = st.fixed_dictionaries({"fee_rate": st.integers(0, 200_000), "fee_exponent": st.integers(0, 4)})
ASKS = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=2, max_size=6)
ANYTHING = {
    "margin_micros": 0, "implausible_micros": 10**8, "most_sets": 20, "most_spread_micros": 10**6,
    "accept_missing_winner": True,
}  # fmt: skip


def bought(wishes: list[Decision]) -> dict[str, list[Decision]]:
    """The legs of each set, which share their rationale."""
    sets: dict[str, list[Decision]] = {}
    for wish in wishes:
        sets.setdefault(wish.rationale, []).append(wish)
    return sets


@given(ASKS, FEES, st.integers(0, 5))
def test_a_bought_set_pays_at_least_its_cost_whichever_shown_market_wins(asks, fee, winner):
    rows = [of(f"m{n}", yes, no, event="rain", fee=fee) for n, (yes, no) in enumerate(asks)]
    with opened(ANYTHING) as host:
        sets = bought(host.decide(*rows))
    won = f"m{winner % len(asks)}"
    for wishes in sets.values():
        (shares,) = {sized(wish, fee) for wish in wishes}
        cost = sum(unit(wish.limit_price, fee) * shares / MICRO for wish in wishes)
        paid = sum(shares for wish in wishes if (wish.outcome == "yes") is (wish.market == won))
        assert paid > cost


@given(ASKS, FEES)
def test_a_set_of_no_pays_at_least_its_cost_when_no_shown_market_wins_and_one_of_yes_loses_all(asks, fee):
    rows = [of(f"m{n}", yes, no, event="rain", fee=fee) for n, (yes, no) in enumerate(asks)]
    with opened(ANYTHING) as host:
        sets = bought(host.decide(*rows))
    for rationale, wishes in sets.items():
        (shares,) = {sized(wish, fee) for wish in wishes}
        cost = sum(unit(wish.limit_price, fee) * shares / MICRO for wish in wishes)
        paid = shares * sum(wish.outcome == "no" for wish in wishes)
        assert (paid > cost) is not rationale.startswith("YES of")


@given(ASKS, FEES)
def test_it_finds_every_set_of_the_definition_and_no_other(asks, fee):
    """Against sums of fractions over every market: the names of what it tells."""
    rows = [of(f"m{n}", yes, no, event="rain", fee=fee) for n, (yes, no) in enumerate(asks)]
    with opened(ANYTHING, account=None) as host:
        host.decide(*rows)
        told = {line.split(":")[0] for line in messages(host)}
    costs = [tuple(unit(ask * CENT, fee) for ask in pair) for pair in asks]
    expected = {f"YES and NO of m{n}" for n, (yes, no) in enumerate(costs) if MICRO - yes - no >= 1}
    saves = [MICRO - no for _, no in costs if no < MICRO]
    if len(saves) > 1 and sum(saves) - MICRO >= 1:
        expected.add(f"NO of {len(saves)} markets of rain")
    if MICRO - sum(yes for yes, _ in costs) >= 1:
        expected.add(f"YES of {len(costs)} markets of rain")
    assert told == expected
