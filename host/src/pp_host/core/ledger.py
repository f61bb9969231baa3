"""Double entry over what the record says: the account is a fold over its entries.

Laws: `apply` is the only mutator and takes only what has been written down; an entry applied twice, or a
trade told twice, counts once; an entry that contradicts the books stops everything (RecordError). After every
event
    cash + reserved + positions at cost + fees - realised == deposits.
Each event costs O(1), a settlement O(what is held of its market). Amounts are micro-USD, shares micro-shares.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pp_host.core.entries import Booked, Deposit, Done, Intent, Marked, Void, booked
from pp_host.errors import RecordError
from pp_host.fees import FEE_STEP
from pp_host.model import Fill, Holding, Outcome, Settlement

DAY = 86_400_000_000
MINUTE = 60_000_000


class Balance(Struct, frozen=True, kw_only=True):
    """The accounts. `cost` is open positions at cost without fees; `realised` is what sales and payouts
    brought above cost, before fees."""

    deposits: int = 0
    cash: int = 0
    reserved: int = 0
    cost: int = 0
    fees: int = 0
    realised: int = 0

    @property
    def exposure(self) -> int:
        """Money at work: positions at cost and open purchases at their worst."""
        return self.cost + self.reserved

    @property
    def balanced(self) -> bool:
        return self.cash + self.reserved + self.cost + self.fees - self.realised == self.deposits


class Watermarks(Struct, frozen=True, kw_only=True):
    """The account's worth as last observed, its highest, and at the opening of the UTC day (days since
    1970)."""

    equity: int = 0
    peak: int = 0
    day: int = -1
    day_start: int = 0


class Pending(Struct, frozen=True, kw_only=True):
    """An order without an end: its intent, the entry that holds it, what it may still take, and the UTC day
    that its spending counts to."""

    intent: Intent
    seq: int
    day: int
    reserve: int
    shares: int

    def after(self, fill: Fill) -> Pending:
        """The order once `fill` has been taken off it."""
        charged = fill.amount + fill.fee if fill.side == "buy" else 0
        return replace(self, reserve=self.reserve - charged, shares=self.shares - fill.shares)


class Ledger:
    """One account's books. Read anything; change only through `apply`."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.balance = Balance()
        self.marks = Watermarks()
        self.open: dict[str, Pending] = {}
        self.settled: set[str] = set()  # markets, since the books were opened
        self._seq = -1
        self._trades: set[str] = set()
        self._held: dict[str, dict[tuple[str, str], Holding]] = {}
        self._holdings: tuple[Holding, ...] | None = ()
        self._plugin_cost: dict[str, int] = {}
        self._spent: dict[str, tuple[int, int]] = {}
        self._sent: dict[str, deque[int]] = {}

    @classmethod
    def replay(cls, account: str, entries: Iterable[tuple[int, str, Mapping[str, Any]]]) -> Ledger:
        """The books as entries (number, event, subject) left them."""
        ledger = cls(account)
        for seq, event, subject in entries:
            if (entry := booked(event, subject, account)) is not None:
                ledger.apply(entry, seq)
        ledger.settled.clear()
        return ledger

    def apply(self, event: Booked, seq: int) -> None:
        """Book the entry `seq`. RecordError: it contradicts the books, which nobody may use any more."""
        if seq <= self._seq:
            return
        self._seq = seq
        match event:
            case Marked():
                self._mark(event)
            case Deposit():
                self._deposit(event)
            case Intent():
                self._reserve(event, seq)
            case Fill() if not self.knows(event.trade):
                self._trade(event)
            case Done() | Void() if event.order in self.open:
                self._release(event)
            case Settlement():
                self._settle(event)
        if not self.balance.balanced:
            raise RecordError(f"the books do not balance after entry {seq}: {self.balance}")

    def knows(self, trade: str) -> bool:
        """Whether the venue's trade has been booked."""
        return trade in self._trades

    def objection(self, intent: Intent) -> str:
        """Why the order cannot be booked, or an empty string: to be asked before it is written down for good."""
        if intent.order in self.open:
            return f"order {intent.order} is open already"
        if intent.reserve > max(self.balance.cash, 0):
            return f"order {intent.order} reserves {intent.reserve} of {self.balance.cash} micro-USD in cash"
        return ""

    # -- what the judge asks ---------------------------------------------------------------------------------

    def holdings(self) -> tuple[Holding, ...]:
        if self._holdings is None:
            self._holdings = tuple(lot for lots in self._held.values() for lot in lots.values())
        return self._holdings

    def held(self, market: str) -> tuple[Holding, ...]:
        return tuple(self._held.get(market, {}).values())

    def markets(self) -> set[str]:
        """Markets in which money is at work."""
        return self._held.keys() | self._unfilled()

    def market_count(self) -> int:
        """How many these are."""
        return len(self._held) + sum(market not in self._held for market in self._unfilled())

    def market_exposure(self, market: str) -> int:
        cost = sum(lot.cost for lot in self._held.get(market, {}).values())
        return cost + sum(order.reserve for order in self.open.values() if order.intent.market == market)

    def plugin_exposure(self, plugin: str) -> int:
        reserved = sum(order.reserve for order in self.open.values() if order.intent.plugin == plugin)
        return self._plugin_cost.get(plugin, 0) + reserved

    def stake(self, plugin: str, market: str, outcome: str) -> int:
        """What this plugin has in one outcome, its open purchases included."""
        lot = self._held.get(market, {}).get((plugin, outcome))
        reserved = sum(order.reserve for order in self._open_in(plugin, market, outcome))
        return reserved + (lot.cost if lot else 0)

    def sellable(self, plugin: str, market: str, outcome: str) -> int:
        """Shares this plugin holds that no open sale has spoken for."""
        lot = self._held.get(market, {}).get((plugin, outcome))
        selling = sum(
            order.shares for order in self._open_in(plugin, market, outcome) if order.intent.side == "sell"
        )
        return lot.shares - selling if lot else 0

    def spent(self, plugin: str, now: int) -> int:
        """What the plugin's purchases of this UTC day cost, open ones at their worst. A clock that was set
        back is still in the newest day it has spent on."""
        day, spent = self._spent.get(plugin, (-1, 0))
        return spent if day >= now // DAY else 0

    def sent(self, plugin: str, now: int) -> int:
        """How many orders the plugin caused in the minute up to `now`."""
        return sum(at > now - MINUTE for at in self._sent.get(plugin, ()))

    def most_worth(self) -> int:
        """Micro-USD the account would come to if every share, open purchases included, paid 1 USD."""
        held = sum(lot.shares for lot in self.holdings())
        buying = sum(order.shares for order in self.open.values() if order.intent.side == "buy")
        return self.balance.cash + self.balance.reserved + held + buying

    def _unfilled(self) -> set[str]:
        return {order.intent.market for order in self.open.values()}

    def _open_in(self, plugin: str, market: str, outcome: str) -> Iterable[Pending]:
        key = (plugin, market, outcome)
        return (o for o in self.open.values() if (o.intent.plugin, o.intent.market, o.intent.outcome) == key)

    # -- what each event does --------------------------------------------------------------------------------

    def _deposit(self, event: Deposit) -> None:
        """The marks move along, so that money put in hides no loss."""
        old, marks = self.balance, self.marks
        self.balance = replace(old, deposits=old.deposits + event.amount, cash=old.cash + event.amount)
        self.marks = replace(
            marks,
            equity=marks.equity + event.amount,
            peak=marks.peak + event.amount,
            day_start=marks.day_start + event.amount,
        )

    def _mark(self, event: Marked) -> None:
        start = event.day_start_equity
        self.marks = Watermarks(equity=event.equity, peak=event.peak, day=event.day, day_start=start)

    def _reserve(self, event: Intent, seq: int) -> None:
        if objection := self.objection(event):
            raise RecordError(objection)
        day = self._spend(event.plugin, event.at // DAY, event.reserve)
        self.open[event.order] = Pending(
            intent=event, seq=seq, day=day, reserve=event.reserve, shares=event.shares
        )
        old = self.balance
        self.balance = replace(old, cash=old.cash - event.reserve, reserved=old.reserved + event.reserve)
        times = self._sent.setdefault(event.plugin, deque())
        times.append(event.at)
        while times[0] <= event.at - MINUTE:
            times.popleft()

    def _release(self, event: Done | Void) -> None:
        order = self.open[event.order]
        if event.released != order.reserve:
            raise RecordError(
                f"order {event.order} releases {event.released} of a reserve of {order.reserve}"
            )
        del self.open[event.order]
        old = self.balance
        self.balance = replace(old, cash=old.cash + order.reserve, reserved=old.reserved - order.reserve)
        day, spent = self._spent[order.intent.plugin]
        if day == order.day:
            self._spent[order.intent.plugin] = day, spent - order.reserve

    def _trade(self, fill: Fill) -> None:
        order = self.open.get(fill.order)
        if order is None or (message := misfit(fill, order)):
            raise RecordError(f"trade {fill.trade}: {message if order else 'its order is not open'}")
        self._trades.add(fill.trade)
        self.open[fill.order] = order.after(fill)
        if fill.side == "buy":
            self._bought(fill)
        else:
            self._sold(fill)

    def _bought(self, fill: Fill) -> None:
        charged = fill.amount + fill.fee
        self._hold(fill.plugin, fill.market, fill.outcome, fill.shares, fill.amount)
        old = self.balance
        self.balance = replace(
            old, reserved=old.reserved - charged, cost=old.cost + fill.amount, fees=old.fees + fill.fee
        )

    def _sold(self, fill: Fill) -> None:
        """Cost leaves in proportion, rounded down: the last share sold takes the rest."""
        lot = self._held.get(fill.market, {}).get((fill.plugin, fill.outcome))
        if lot is None or lot.shares < fill.shares:
            raise RecordError(f"trade {fill.trade}: sells more than is held")
        cost = lot.cost * fill.shares // lot.shares
        self._hold(fill.plugin, fill.market, fill.outcome, -fill.shares, -cost)
        old = self.balance
        self.balance = replace(
            old,
            cash=old.cash + fill.amount - fill.fee,
            cost=old.cost - cost,
            fees=old.fees + fill.fee,
            realised=old.realised + fill.amount - cost,
        )

    def _settle(self, event: Settlement) -> None:
        lots = self._held.pop(event.market, {})
        cost = sum(lot.cost for lot in lots.values())
        if event.cost != cost or event.realised != event.payout - cost:
            raise RecordError(
                f"the settlement of {event.market} takes {event.cost} off the books, which hold {cost}"
            )
        self._holdings = None
        self.settled.add(event.market)
        for lot in lots.values():
            self._plugin_cost[lot.plugin] -= lot.cost
        old = self.balance
        self.balance = replace(
            old, cash=old.cash + event.payout, cost=old.cost - cost, realised=old.realised + event.realised
        )

    def _hold(self, plugin: str, market: str, outcome: Outcome, shares: int, cost: int) -> None:
        """Change what is held; a lot that is sold out is gone."""
        self._holdings = None
        self._plugin_cost[plugin] = self._plugin_cost.get(plugin, 0) + cost
        lots = self._held.setdefault(market, {})
        old = lots.get((plugin, outcome))
        shares, cost = (old.shares + shares, old.cost + cost) if old else (shares, cost)
        if shares:
            lots[plugin, outcome] = Holding(
                plugin=plugin, market=market, outcome=outcome, shares=shares, cost=cost
            )
        else:
            del lots[plugin, outcome]
        if not lots:
            del self._held[market]

    def _spend(self, plugin: str, day: int, amount: int) -> int:
        """Count towards the plugin's newest day, and return it: no clock brings an earlier one back."""
        known, spent = self._spent.get(plugin, (-1, 0))
        newest = max(day, known)
        self._spent[plugin] = newest, amount + (spent if newest == known else 0)
        return newest


def misfit(fill: Fill, order: Pending) -> str:
    """Why a trade cannot belong to the order, or an empty string."""
    intent = order.intent
    if (fill.order, fill.account, fill.plugin) != (intent.order, intent.account, intent.plugin):
        return "it is of another order"
    if (fill.market, fill.outcome, fill.side) != (intent.market, intent.outcome, intent.side):
        return "it is of another market, outcome or side"
    if not 0 < fill.shares <= order.shares or fill.amount < 0 or fill.fee < 0:
        return f"{fill.shares} micro-shares of an order with {order.shares} left"
    worse = fill.price > intent.limit_price if fill.side == "buy" else fill.price < intent.limit_price
    if worse:
        return f"its price {fill.price} is worse than the limit {intent.limit_price}"
    if fill.side == "buy" and fill.amount + fill.fee > order.reserve:
        return f"it costs {fill.amount + fill.fee}, more than the reserve of {order.reserve}"
    if fill.side == "sell" and fill.fee > fill.amount + 1 + FEE_STEP:
        return f"its fee {fill.fee} is more than the {fill.amount} that it brings"
    return ""
