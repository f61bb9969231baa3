from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pp_host.errors import InDoubt, OperatorError, VenueError
from pp_host.fees import fee, paid, received, worst_cost
from pp_host.model import MICRO
from pp_host.venue.paper import PaperVenue
from pp_sdk.table import CLOSED, build

from tests.unit.core.fakes import NOON, market, usd
from tests.unit.core.test_ledger import order

pytestmark = pytest.mark.anyio
LATER = NOON + 1


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def venue():
    made = PaperVenue()
    yield made
    made.close()


def asks(*levels: tuple[int, int], **cells):
    return build([market(yes_asks=levels, yes_bids=(), **cells)])


def taker(number: int, shares: int, **fields):
    return order(number, shares, **{"expires_at": LATER, **fields})


async def test_a_taker_pays_the_book_s_prices_and_not_its_own(venue):
    venue.show(asks((400_000, usd(3)), (450_000, usd(3)), (500_000, usd(3)), (510_000, usd(9))), NOON)
    fills = await venue.submit(taker(1, usd(8), fee_rate=70_000))
    assert [(fill.price, fill.shares) for fill in fills] == [
        (400_000, usd(3)),
        (450_000, usd(3)),
        (500_000, usd(2)),
    ]
    assert [fill.amount for fill in fills] == [paid(fill.shares, fill.price) for fill in fills]
    assert [fill.fee for fill in fills] == [fee(fill.shares, fill.price, 70_000, 1) for fill in fills]
    assert [fill.trade for fill in fills] == ["o1-0", "o1-1", "o1-2"]
    assert {fill.at for fill in fills} == {NOON}


async def test_nothing_is_traded_beyond_the_limit_or_the_depth(venue):
    venue.show(asks((400_000, usd(3)), (510_000, usd(9))), NOON)
    assert sum(fill.shares for fill in await venue.submit(taker(1, usd(8)))) == usd(3)
    assert await venue.submit(taker(2, usd(8))) == ()


async def test_a_sale_walks_the_bids_downwards(venue):
    venue.show(build([market(yes_bids=((480_000, usd(2)), (470_000, usd(2)), (460_000, usd(9))))]), NOON)
    fills = await venue.submit(taker(1, usd(9), side="sell", price=470_000))
    assert [(fill.price, fill.shares, fill.amount) for fill in fills] == [
        (480_000, usd(2), received(usd(2), 480_000)), (470_000, usd(2), received(usd(2), 470_000)),
    ]  # fmt: skip


async def test_no_has_a_book_of_its_own(venue):
    venue.show(build([market()]), NOON)
    (fill,) = await venue.submit(taker(1, usd(5), outcome="no", price=510_000))
    assert (fill.price, fill.outcome) == (510_000, "no")


async def test_depth_stays_taken_until_its_market_is_quoted_anew(venue):
    table = asks((500_000, usd(10)))
    venue.show(table, NOON)
    assert sum(fill.shares for fill in await venue.submit(taker(1, usd(6)))) == usd(6)
    assert sum(fill.shares for fill in await venue.submit(taker(2, usd(6)))) == usd(4)
    venue.show(asks((500_000, usd(10))), NOON)  # the same quotes once more are no new depth
    assert await venue.submit(taker(3, usd(6))) == ()
    venue.show(build([]), NOON)  # nor are they after a cycle in which their source was silent
    venue.show(asks((500_000, usd(10))), NOON)
    assert await venue.submit(taker(4, usd(6))) == ()
    venue.show(asks((500_000, usd(10)), quoted_at=LATER), NOON)
    assert sum(fill.shares for fill in await venue.submit(taker(5, usd(6)))) == usd(6)


async def test_a_recorded_book_s_depth_comes_back_with_its_next_recording_only():
    recorded = {("m", "yes"): NOON}
    venue = PaperVenue(None, lambda market, outcome: recorded.get((market, outcome)))
    table = asks((500_000, usd(10)), (510_000, usd(5)))
    venue.show(table, NOON)
    assert sum(fill.shares for fill in await venue.submit(taker(1, usd(12), price=510_000))) == usd(12)
    venue.show(
        asks((500_000, usd(10)), (510_000, usd(5)), quoted_at=LATER), LATER
    )  # the other outcome's news
    assert [
        (fill.price, fill.shares)
        for fill in await venue.submit(taker(2, usd(6), price=510_000, expires_at=NOON + 9))
    ] == [(510_000, usd(3))]
    recorded["m", "yes"] = LATER
    venue.show(asks((500_000, usd(10)), quoted_at=LATER), LATER)
    assert sum(fill.shares for fill in await venue.submit(taker(3, usd(99), expires_at=NOON + 9))) == usd(10)
    del recorded["m", "yes"]  # a point has taken the book's place
    venue.show(asks((500_000, usd(1)), quoted_at=LATER), LATER)
    assert sum(fill.shares for fill in await venue.submit(taker(4, usd(99), expires_at=NOON + 9))) == usd(1)
    venue.close()


async def test_the_same_order_gets_the_same_answer_and_trades_once(venue):
    venue.show(asks((500_000, usd(10))), NOON)
    first = await venue.submit(taker(1, usd(6)))
    assert await venue.submit(taker(1, usd(6))) == first
    assert await venue.lookup("o1") == first
    assert sum(fill.shares for fill in await venue.submit(taker(2, usd(6)))) == usd(4)


@pytest.mark.parametrize("reason", ["expired", "closed", "unknown", "no table"])
async def test_refused_orders_stay_refused(venue, reason):
    if reason != "no table":
        venue.show(build([market(status=CLOSED if reason == "closed" else 0)]), NOON)
    wanted = taker(
        1,
        usd(6),
        expires_at=NOON if reason == "expired" else LATER,
        market="x" if reason == "unknown" else "m",
    )
    with pytest.raises(VenueError, match="expired" if reason == "expired" else "not open") as caught:
        await venue.submit(wanted)
    assert not isinstance(caught.value, InDoubt)
    venue.show(build([market(), market("x")]), NOON - 1)
    with pytest.raises(VenueError):
        await venue.submit(wanted)
    assert await venue.lookup("o1") == ()
    assert len(await venue.submit(taker(2, usd(6)))) == 1


async def test_a_forbidden_order_is_refused_when_it_arrives_late(venue):
    venue.show(build([market()]), NOON)
    assert await venue.lookup("o1") is None
    assert await venue.forbid("o1") is True
    with pytest.raises(VenueError, match="forbidden"):
        await venue.submit(taker(1, usd(6)))
    assert await venue.lookup("o1") == ()
    assert await venue.forbid("o1") is True


async def test_an_order_that_traded_cannot_be_forbidden(venue):
    venue.show(build([market()]), NOON)
    await venue.submit(taker(1, usd(6)))
    assert await venue.forbid("o1") is False


async def test_a_file_remembers_orders_refusals_and_trades(tmp_path):
    venue = PaperVenue(tmp_path / "paper.db")
    venue.show(build([market()]), NOON)
    fills = await venue.submit(taker(1, usd(6)))
    await venue.forbid("o2")
    venue.close()
    again = PaperVenue(tmp_path / "paper.db")
    assert await again.lookup("o1") == fills
    assert await again.submit(taker(1, usd(6))) == fills
    assert await again.lookup("o2") == ()
    assert await again.lookup("o3") is None
    again.close()


@pytest.mark.parametrize("spoil", ["garbage", "folder", "other"])
def test_a_path_that_holds_something_else_is_named_with_a_remedy(tmp_path, spoil):
    path = tmp_path / "paper.db"
    if spoil == "garbage":
        path.write_bytes(b"these are not orders\n" * 400)
    elif spoil == "folder":
        path.mkdir()
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE trades (id TEXT)")
    with pytest.raises(OperatorError, match=re.escape(f"{path}: ")) as caught:
        PaperVenue(path)
    assert "move it away" in caught.value.hint


async def test_a_memory_that_fails_leaves_doubt(venue):
    venue.show(build([market()]), NOON)
    venue._db.execute("DROP TABLE trades")
    with pytest.raises(InDoubt, match=r"paper\.db"):
        await venue.submit(taker(1, usd(6)))
    assert venue._db.execute("SELECT count(*) FROM orders").fetchone() == (0,)


numbers = count()
books = st.lists(
    st.tuples(st.integers(1, 99), st.integers(0, usd(20))), max_size=20, unique_by=lambda level: level[0]
)


@settings(deadline=None)
@given(
    levels=books,
    shares=st.integers(1, usd(100)),
    limit=st.integers(1, 99),
    rate=st.integers(0, MICRO),
    exponent=st.integers(0, 4),
    again=st.integers(0, usd(50)),
)
async def test_a_purchase_never_costs_more_than_its_worst_case(levels, shares, limit, rate, exponent, again):
    book = tuple(sorted((price * 10_000, size) for price, size in levels))
    venue = PaperVenue()
    venue.show(asks(*book), NOON)
    wanted = taker(next(numbers), shares, price=limit * 10_000, fee_rate=rate, fee_exponent=exponent)
    fills = list(await venue.submit(wanted))
    assert sum(fill.amount + fill.fee for fill in fills) <= worst_cost(
        shares, wanted.limit_price, rate, exponent
    )
    within = {price: size for price, size in book if price <= wanted.limit_price}
    assert sum(fill.shares for fill in fills) == min(shares, sum(within.values()))
    fills += await venue.submit(taker(next(numbers), again or 1, price=limit * 10_000))
    for price, size in within.items():
        assert sum(fill.shares for fill in fills if fill.price == price) <= size
    venue.close()
