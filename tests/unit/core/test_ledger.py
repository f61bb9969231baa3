from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pp_host.core.entries import Deposit, Done, Intent, Marked, Void
from pp_host.core.execution import write
from pp_host.core.ledger import DAY, Balance, Ledger
from pp_host.core.settle import settlement
from pp_host.errors import RecordError
from pp_host.model import MICRO, Order

from tests.unit.core.fakes import ACCOUNT, AGENT, NOON, World, fill_of, usd

OTHER = "org.example.other"


def order(
    number: int, shares: int, *, price: int = 500_000, side: str = "buy", plugin: str = AGENT.id, **fields
) -> Order:
    reserve = -(-shares * price // MICRO) + 1000 if side == "buy" else 0
    defaults = {
        "id": f"o{number}", "account": ACCOUNT, "plugin": plugin, "market": "m", "outcome": "yes", "side": side, "shares": shares,
        "limit_price": price, "tick": 10_000, "fee_rate": 0, "fee_exponent": 1, "reserve": reserve, "expires_at": NOON,
    }  # fmt: skip
    return Order(**{**defaults, **fields})


class Books:
    """A ledger that is written through a record, so that every test also proves the replay."""

    def __init__(self, cash: int = usd(1000)) -> None:
        world = World(cash=cash)
        self.record, self.ledger = world.record, world.ledger

    def book(self, event) -> None:
        write(self.record, self.ledger, event)

    def end(self, order_id: str, at: int = NOON) -> None:
        pending = self.ledger.open[order_id]
        filled = pending.intent.shares - pending.shares
        self.book(
            Done(
                account=ACCOUNT,
                order=order_id,
                status="partial",
                filled=filled,
                released=pending.reserve,
                detail="",
                at=at,
            )
        )

    def trade(self, made: Order, *fills: tuple[int, int], fee: int = 0, at: int = NOON) -> None:
        self.book(Intent.of(made, at))
        for number, (shares, price) in enumerate(fills):
            self.book(fill_of(made, shares, price, fee=fee, number=number))
        self.end(made.id, at)


def state(ledger: Ledger):
    return (
        ledger.balance,
        ledger.marks,
        ledger.open,
        ledger.holdings(),
        ledger.spent(AGENT.id, NOON),
        ledger.sent(AGENT.id, NOON),
    )


def test_a_purchase_moves_cash_to_reserve_to_cost_and_fees():
    books = Books()
    made = order(1, usd(10))
    books.book(Intent.of(made, NOON))
    assert books.ledger.balance == Balance(deposits=usd(1000), cash=usd(995) - 1000, reserved=usd(5) + 1000)
    books.book(fill_of(made, usd(4), 450_000, fee=300))
    assert books.ledger.balance.reserved == usd(5) + 1000 - usd(1.8) - 300
    assert books.ledger.balance.exposure == usd(1.8) + books.ledger.balance.reserved
    books.end("o1")
    assert books.ledger.balance == Balance(deposits=usd(1000), cash=usd(998.2) - 300, cost=usd(1.8), fees=300)


def test_a_sale_releases_cost_in_proportion_and_the_last_share_all_of_it():
    books = Books()
    books.trade(order(1, 3), (3, 333_333))  # 0.999999 micro-USD, rounded up to 1
    books.trade(order(2, usd(3)), (usd(3), 333_333))
    cost = books.ledger.balance.cost
    books.trade(order(3, usd(1), side="sell", price=400_000), (usd(1), 400_000), fee=70)
    released = cost * usd(1) // (usd(3) + 3)
    assert books.ledger.balance.cost == cost - released
    assert books.ledger.balance.realised == usd(0.4) - released
    assert books.ledger.balance.fees == 70
    books.trade(order(4, usd(2) + 3, side="sell", price=400_000), (usd(2) + 3, 400_000))
    assert books.ledger.balance.cost == 0
    assert books.ledger.holdings() == ()
    assert books.ledger.markets() == set()
    assert books.ledger.market_count() == 0
    assert books.ledger.balance.cash == usd(1000) + books.ledger.balance.realised - 70


def test_holdings_are_kept_per_plugin_market_and_outcome():
    books = Books()
    books.trade(order(1, 10), (10, 500_000))
    books.trade(order(2, 20, plugin=OTHER), (20, 500_000))
    books.trade(order(3, 30, outcome="no"), (30, 500_000))
    books.trade(order(4, 40, market="n"), (40, 500_000))
    lots = [(lot.plugin, lot.market, lot.outcome, lot.shares, lot.cost) for lot in books.ledger.holdings()]
    assert lots == [
        (AGENT.id, "m", "yes", 10, 5), (OTHER, "m", "yes", 20, 10), (AGENT.id, "m", "no", 30, 15), (AGENT.id, "n", "yes", 40, 20),
    ]  # fmt: skip
    assert books.ledger.market_exposure("m") == 30
    assert books.ledger.plugin_exposure(AGENT.id) == 40
    assert books.ledger.plugin_exposure(OTHER) == 10
    assert books.ledger.markets() == {"m", "n"}
    books.book(Intent.of(order(5, 50, market="n"), NOON))
    books.book(Intent.of(order(6, 50, market="o"), NOON))
    assert books.ledger.markets() == {"m", "n", "o"}
    assert books.ledger.market_count() == 3
    assert books.ledger.market_exposure("o") == 1025
    assert books.ledger.stake(AGENT.id, "m", "no") == 15


def test_settlement_pays_each_outcome_what_it_is_worth():
    books = Books()
    books.trade(order(1, 7), (7, 500_000))
    books.trade(order(2, 5, plugin=OTHER), (5, 500_000))
    books.trade(order(3, 9, outcome="no"), (9, 500_000))
    paid = settlement(books.ledger, "m", 300_000, NOON)
    assert (paid.yes_shares, paid.no_shares) == (12, 9)
    assert paid.payout == 3 + 6  # 12 x 0.3 = 3.6 and 9 x 0.7 = 6.3, each rounded down
    assert (paid.cost, paid.realised) == (4 + 3 + 5, 9 - 12)
    books.book(paid)
    assert books.ledger.balance == Balance(deposits=usd(1000), cash=usd(1000) - 3, realised=-3)
    assert books.ledger.holdings() == ()
    assert books.ledger.plugin_exposure(AGENT.id) == books.ledger.plugin_exposure(OTHER) == 0


def test_a_trade_told_twice_counts_once():
    books = Books()
    made = order(1, usd(10))
    books.book(Intent.of(made, NOON))
    books.book(fill_of(made, usd(4), 500_000))
    before = state(books.ledger)
    books.book(fill_of(made, usd(4), 500_000))
    assert state(books.ledger) == before
    books.book(fill_of(made, usd(4), 500_000, number=1))
    assert books.ledger.holdings()[0].shares == usd(8)


def test_spending_is_counted_by_utc_day_and_released_with_the_order():
    books = Books()
    books.trade(order(1, usd(10)), (usd(4), 500_000), fee=10)
    assert books.ledger.spent(AGENT.id, NOON) == usd(2) + 10
    assert books.ledger.spent(AGENT.id, NOON + DAY) == 0
    assert books.ledger.spent(OTHER, NOON) == 0
    books.book(Intent.of(order(2, usd(2)), NOON))
    books.book(Intent.of(order(3, usd(2)), NOON + DAY))
    books.end("o2", NOON + DAY)  # yesterday's release does not give today more
    assert books.ledger.spent(AGENT.id, NOON + DAY) == usd(1) + 1000


def test_a_clock_that_steps_back_over_midnight_brings_no_day_s_budget_back():
    books = Books()
    books.trade(order(1, usd(10)), (usd(10), 500_000), at=NOON + DAY)
    assert books.ledger.spent(AGENT.id, NOON) == usd(5)
    books.trade(order(2, usd(4)), (usd(4), 500_000), at=NOON)
    assert books.ledger.spent(AGENT.id, NOON) == books.ledger.spent(AGENT.id, NOON + DAY) == usd(7)
    books.book(Intent.of(order(3, usd(2)), NOON))
    books.end("o3")  # what was counted to the newest day is released from it
    assert books.ledger.spent(AGENT.id, NOON + DAY) == usd(7)
    assert books.ledger.spent(AGENT.id, NOON + 2 * DAY) == 0
    again = Ledger.replay(ACCOUNT, books.record.replayable())
    assert again.spent(AGENT.id, NOON + DAY) == usd(7)


def test_orders_are_counted_over_a_minute():
    books = Books()
    for number, second in enumerate((0, 30, 59)):
        books.book(Intent.of(order(number, 1), NOON + second * 1_000_000))
    assert books.ledger.sent(AGENT.id, NOON + 59_999_999) == 3
    assert books.ledger.sent(AGENT.id, NOON + 60_000_000) == 2
    assert books.ledger.sent(AGENT.id, NOON + 200_000_000) == 0


def test_a_deposit_hides_no_loss():
    books = Books()
    books.book(mark(equity=usd(900), peak=usd(1000), day_start=usd(1000)))
    books.book(Deposit(account=ACCOUNT, amount=usd(500), at=NOON))
    marks = books.ledger.marks
    assert (marks.equity, marks.peak, marks.day_start) == (usd(1400), usd(1500), usd(1500))


def mark(*, equity: int, peak: int, day_start: int, account: str = ACCOUNT) -> Marked:
    return Marked(
        account=account, now=NOON, rows=0, digest="", snapshots=(), duplicates=0, equity=equity, cash=0, exposure=0,
        peak=peak, day=NOON // DAY, day_start_equity=day_start,
    )  # fmt: skip


# -- entries that contradict the books


@pytest.mark.parametrize(
    "changes",
    [
        {"order": "unknown"}, {"plugin": OTHER}, {"market": "n"}, {"outcome": "no"}, {"side": "sell"},
        {"shares": usd(10) + 1}, {"shares": 0}, {"shares": -1}, {"price": 500_001}, {"amount": -1}, {"fee": -1},
        {"amount": usd(5) + 1001}, {"amount": usd(5), "fee": 1001},
    ],
)  # fmt: skip
def test_a_trade_that_does_not_fit_its_order_stops_everything(changes):
    books = Books()
    made = order(1, usd(10))
    books.book(Intent.of(made, NOON))
    with pytest.raises(RecordError, match="trade o1-0"):
        books.book(replace(fill_of(made, usd(10), 500_000), **changes))


def test_a_trade_at_the_very_edge_of_its_order_fits():
    books = Books()
    made = order(1, usd(10))
    books.book(Intent.of(made, NOON))
    books.book(fill_of(made, usd(10), 500_000, fee=1000))
    assert books.ledger.open["o1"].reserve == 0


def test_a_sale_below_its_limit_or_of_more_than_is_held_stops_everything():
    books = Books()
    books.trade(order(1, 10), (10, 500_000))
    books.book(Intent.of(order(2, 10, side="sell"), NOON))
    with pytest.raises(RecordError, match="worse than the limit"):
        books.book(fill_of(order(2, 10, side="sell"), 10, 499_999))
    books.book(Intent.of(order(3, 11, side="sell"), NOON))
    with pytest.raises(RecordError, match="more than is held"):
        books.book(fill_of(order(3, 11, side="sell"), 11, 500_000))


def test_an_order_beyond_the_cash_or_open_twice_stops_everything():
    with pytest.raises(RecordError, match="reserves 5001000 of 5000000 micro-USD in cash"):
        Books(cash=usd(5)).book(Intent.of(order(1, usd(10)), NOON))
    books = Books(cash=usd(5) + 1000)
    books.book(Intent.of(order(1, usd(10)), NOON))
    with pytest.raises(RecordError, match="open already"):
        books.book(Intent.of(order(1, 1), NOON))


def test_a_release_that_is_not_the_rest_stops_everything():
    books = Books()
    books.book(Intent.of(order(1, usd(10)), NOON))
    with pytest.raises(RecordError, match="releases 1 of"):
        books.book(Void(account=ACCOUNT, order="o1", released=1, detail="", at=NOON))


def test_a_settlement_that_counts_otherwise_stops_everything():
    books = Books()
    books.trade(order(1, 10), (10, 500_000))
    with pytest.raises(RecordError, match="settlement of m"):
        books.book(replace(settlement(books.ledger, "m", MICRO, NOON), cost=4, realised=6))


def test_books_that_do_not_balance_are_noticed():
    books = Books()
    books.ledger.balance = replace(books.ledger.balance, cash=1)
    with pytest.raises(RecordError, match="do not balance"):
        books.book(Deposit(account=ACCOUNT, amount=1, at=NOON))


# -- replay


def test_entries_of_another_account_and_other_events_are_not_ours():
    books = Books()
    before = state(books.ledger)
    write(books.record, books.ledger, mark(equity=1, peak=2, day_start=3))
    books.record.append("order.fill", {"account": "other", "anything": 1})
    books.record.append("plugin.log", {"account": ACCOUNT})
    other = Deposit(account="other", amount=5, at=NOON)
    books.record.append("deposit", other)
    replayed = Ledger.replay(ACCOUNT, books.record.replayable())
    assert replayed.balance == before[0]
    assert (
        Ledger.replay(
            "other", [entry for entry in books.record.replayable() if entry[1] == "deposit"]
        ).balance.cash
        == 5
    )


def test_an_entry_that_cannot_be_read_stops_the_start():
    with pytest.raises(RecordError, match=r"order\.fill cannot be replayed") as caught:
        Ledger.replay(ACCOUNT, [(0, "order.fill", {"account": ACCOUNT, "trade": "t"})])
    assert caught.value.hint == "pp audit verify"


actions = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "settle", "mark", "open", "deposit"]),
        st.sampled_from(["m", "n"]), st.sampled_from(["yes", "no"]), st.sampled_from([AGENT.id, OTHER]),
        st.integers(1, usd(20)), st.integers(1, MICRO - 1), st.integers(0, 500), st.integers(0, 3),
    ),
    max_size=25,
)  # fmt: skip


@settings(deadline=None)
@given(actions)
def test_the_books_always_balance_and_replaying_them_once_or_twice_gives_them_back(script):
    books = Books()
    for number, (what, market, outcome, plugin, shares, price, fee, days) in enumerate(script):
        at = NOON + days * DAY
        made = order(number, shares, price=price, market=market, outcome=outcome, plugin=plugin)
        held = books.ledger.sellable(plugin, market, outcome)
        if what == "buy" and made.reserve <= books.ledger.balance.cash:
            books.trade(
                made, (max(1, shares // 3), price), (shares // 4 or 1, price)
            ) if shares > 3 else books.trade(made, (shares, price), fee=fee)
        elif what == "open" and made.reserve <= books.ledger.balance.cash:
            books.book(Intent.of(made, at))
        elif what == "sell" and held:
            part = min(shares, held)
            fee = min(fee, part * price // MICRO)
            books.trade(replace(made, side="sell", shares=part, reserve=0), (part, price), fee=fee, at=at)
        elif what == "settle":
            books.book(settlement(books.ledger, market, price, at))
        elif what == "mark":
            books.book(mark(equity=shares, peak=shares + fee, day_start=price))
        elif what == "deposit":
            books.book(Deposit(account=ACCOUNT, amount=shares, at=at))
        balance = books.ledger.balance
        lots = books.ledger.holdings()
        assert balance.balanced
        assert balance.cost == sum(lot.cost for lot in lots)
        assert balance.reserved == sum(pending.reserve for pending in books.ledger.open.values())
        assert all(lot.shares > 0 and lot.cost >= 0 for lot in lots)
        assert balance.cost == sum(books.ledger.market_exposure(name) for name in "mn") - balance.reserved
        assert balance.exposure == sum(books.ledger.plugin_exposure(name) for name in (AGENT.id, OTHER))
    entries = books.record.replayable()
    once = Ledger.replay(ACCOUNT, entries)
    assert state(once) == state(books.ledger)
    assert state(Ledger.replay(ACCOUNT, entries + entries)) == state(books.ledger)
