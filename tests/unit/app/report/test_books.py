"""Who earned what: taken from the ledger itself, payouts dealt to the last micro-dollar."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.app.report.books import RunBooks, dealt
from pp_host.core.ledger import Ledger
from pp_host.errors import RecordError
from pp_host.model import Fill, Holding, Settlement
from pp_host.record.entry import HOST, Entry

ACCOUNT, MICRO = "paper", 1_000_000


def entry(seq, event, **subject):
    ts = "2026-01-01T00:00:00.000000Z"
    return Entry(
        seq=seq,
        ts=ts,
        mono_ns=0,
        boot="",
        run="r",
        actor=HOST,
        event=event,
        subject={"account": ACCOUNT, **subject},
    )


def fill(trade, plugin, side, shares, price, fee, market="m", outcome="yes"):
    amount = shares * price // MICRO
    return {
        "trade": trade, "order": f"o-{trade}", "plugin": plugin, "market": market, "outcome": outcome, "side": side,
        "shares": shares, "price": price, "amount": amount, "fee": fee, "at": 5,
    }  # fmt: skip


class Story:
    """Entries of an account, numbered as they are added; each trade with its intent and end."""

    def __init__(self):
        self.entries = [entry(0, "deposit", amount=1000 * MICRO, at=0)]

    def add(self, event, **subject):
        self.entries.append(entry(len(self.entries), event, **subject))

    def trade(self, **told):
        reserve = told["amount"] + told["fee"] if told["side"] == "buy" else 0
        names = ("order", "plugin", "market", "outcome", "side", "shares", "at")
        more = {
            "limit_price": told["price"],
            "tick": 1,
            "fee_rate": 0,
            "fee_exponent": 1,
            "reserve": reserve,
            "expires_at": 9,
        }
        self.add("order.intent", **{name: told[name] for name in names}, **more)
        self.add("order.fill", **told)
        self.add(
            "order.done",
            order=told["order"],
            status="filled",
            filled=told["shares"],
            released=0,
            detail="",
            at=6,
        )

    def mark(self, now, equity, cash=0, exposure=0):
        days = {"peak": equity, "day": 0, "day_start_equity": equity}
        self.add(
            "observation",
            now=now,
            rows=1,
            digest="",
            snapshots=[],
            duplicates=0,
            equity=equity,
            cash=cash,
            exposure=exposure,
            **days,
        )

    def books(self, first=1):
        """As of a run that began with entry `first`."""
        before = [(one.seq, one.event, one.subject) for one in self.entries[:first]]
        books = RunBooks(Ledger.replay(ACCOUNT, before))
        for one in self.entries[first:]:
            books.take(one)
        return books


@pytest.fixture
def story():
    """Two agents in one market that pays, and one of them in another, sold before its end."""
    told = Story()
    told.mark(10, 1000 * MICRO)
    told.trade(**fill("a", "p.one", "buy", 10 * MICRO, 400_000, 100))
    told.trade(**fill("b", "p.two", "buy", 30 * MICRO, 500_000, 200))
    told.trade(**fill("c", "p.two", "buy", 20 * MICRO, 300_000, 300, market="n"))
    told.mark(20, 900 * MICRO)
    told.trade(**fill("d", "p.two", "sell", 20 * MICRO, 250_000, 400, market="n"))
    told.add(
        "settlement",
        market="m",
        yes_payout=MICRO,
        yes_shares=40 * MICRO,
        no_shares=0,
        payout=40 * MICRO,
        cost=19 * MICRO,
        realised=21 * MICRO,
        at=25,
    )
    told.mark(30, 1019_999_000)
    return told


def test_profit_is_by_agent_and_market_and_adds_up(story):
    books = story.books()
    money = books.money()
    assert {one.name: one.profit for one in books.agents(())} == {
        "p.one": 6 * MICRO - 100,
        "p.two": 14 * MICRO - 900,
    }
    assert {one.name: one.profit for one in books.markets()} == {"m": 21 * MICRO - 300, "n": -MICRO - 700}
    assert [one.name for one in books.markets()] == ["m", "n"]
    assert (money.realised, money.fees) == (20 * MICRO, 1000)
    assert (money.bought, money.sold, money.paid) == (25 * MICRO, 5 * MICRO, 40 * MICRO)
    assert money.profit == money.realised - money.fees + money.revalued == 19_999_000
    assert (books.settled, books.settled_held) == (1, {"m"})
    assert [one.market for one in books.payouts] == ["m"]


def test_an_agent_that_was_asked_and_did_not_trade_earned_nothing(story):
    books = story.books()
    asked = [(one.name, one.trades, one.profit) for one in books.agents({"p.idle", "p.one"})]
    assert [name for name, _, _ in asked] == ["p.two", "p.one", "p.idle"]
    assert asked[-1] == ("p.idle", 0, 0)
    assert asked[:2] == [(one.name, one.trades, one.profit) for one in books.agents(())]


def test_what_came_before_the_run_is_not_its_own(story):
    later = story.books(first=8)  # p.one and p.two hold m already
    assert {one.name: one.profit for one in later.agents(())} == {
        "p.one": 6 * MICRO,
        "p.two": 14 * MICRO - 700,
    }
    assert later.equity_start == 1000 * MICRO
    assert later.money().fees == 700


def test_the_drawdown_is_the_deepest_fall_from_the_highest_so_far(story):
    books = story.books()
    assert (books.drawdown.depth, books.drawdown.peak, books.drawdown.at) == (100 * MICRO, 1000 * MICRO, 20)
    assert books.drawdown.ppm == 100_000
    fallen = [stretch.last.value for stretch in books.curves().drawdown.stretches]
    assert fallen == [0, -100 * MICRO, 0]
    assert (books.first, books.last, books.observations) == (10, 30, 3)


def test_a_trade_told_twice_counts_once(story):
    fills = [one for one in story.entries if one.event == "order.fill"]
    story.entries.append(msgspec.structs.replace(fills[0], seq=len(story.entries)))
    assert story.books().money() == Story.books(story).money()
    assert sum(one.trades for one in story.books().agents(())) == 4


def test_another_accounts_money_is_left_alone(story):
    before = story.books().money()
    story.add("deposit", account="tape-x", amount=5, at=40)
    assert story.books().money() == before


def test_entries_that_contradict_the_books_are_not_shown(story):
    story.add(
        "settlement",
        market="m",
        yes_payout=MICRO,
        yes_shares=1,
        no_shares=0,
        payout=1,
        cost=1,
        realised=0,
        at=50,
    )
    with pytest.raises(RecordError, match="the settlement of m takes 1 off the books"):
        story.books()


def test_without_trades_everything_is_naught():
    told = Story()
    told.mark(10, 1000 * MICRO, cash=1000 * MICRO)
    books = told.books()
    assert (books.agents(()), books.markets(), books.money().profit, books.drawdown.at) == ([], [], 0, None)


LOTS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["yes", "no"]), st.integers(1, 10**12)),
    min_size=1, max_size=8, unique_by=lambda lot: lot[:2],
)  # fmt: skip


@given(lots=LOTS, yes_payout=st.integers(0, MICRO))
def test_the_parts_of_a_payout_add_up_to_it_and_are_fair_to_a_micro_dollar(lots, yes_payout):
    held = [Holding(plugin=p, market="m", outcome=o, shares=shares, cost=1) for p, o, shares in lots]
    totals = {o: sum(lot.shares for lot in held if lot.outcome == o) for o in ("yes", "no")}
    prices = {"yes": yes_payout, "no": MICRO - yes_payout}
    paid = Settlement(
        account=ACCOUNT, market="m", yes_payout=yes_payout, yes_shares=totals["yes"], no_shares=totals["no"],
        payout=0, cost=0, realised=0, at=0,
    )  # fmt: skip
    parts = list(dealt(paid, held))
    assert {(lot.plugin, lot.outcome) for lot, _ in parts} == {(p, o) for p, o, _ in lots}
    for outcome, total in totals.items():
        assert sum(part for lot, part in parts if lot.outcome == outcome) == total * prices[outcome] // MICRO
    for lot, part in parts:
        assert abs(part * MICRO - lot.shares * prices[lot.outcome]) < 2 * MICRO


def test_the_fill_is_the_cores_own_shape():
    assert set(Fill.__struct_fields__) == {*fill("a", "p", "buy", 1, 1, 0), "account"}
