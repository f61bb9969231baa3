"""What is on a tape, for a person: a summary, a table of the markets, and when each was priced and booked.

Laws: names and questions are strangers' and escaped. Nothing here is as long as a tape is: tables and pictures
end with how much more there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pp_host.cli.output import folding, printable

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.backtest.booktrace import BookCoverage
    from pp_host.backtest.collection import Holding
    from pp_host.backtest.coverage import Coverage, Covered
    from pp_host.backtest.gaps import Gap
    from pp_host.backtest.timeline import Timeline
    from pp_host.backtest.trace import MarketCoverage

WIDE = 140  # below it a table leaves out what --market tells
MOST_ROWS = 20
MOST_LINES = 60
LABEL = 3  # a label takes at most one part in so many of the width
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def columns_for(width: int) -> int:
    """How many stretches of time fit beside the labels."""
    return max(1, width - width // LABEL - 2)


def draw_tape(console: Console, covered: Covered) -> None:
    told = covered.coverage
    _draw_summary(console, told)
    _draw_gaps(console, told.gaps, "Largest gaps between steps")
    if told.books is not None:
        _draw_gaps(console, told.books.gaps, "Largest gaps between steps with a book")
    _draw_markets(console, told.by_market)
    _draw_timeline(console, covered.timeline, told, "When priced or booked" if told.books else "When priced")
    if covered.booked.names:
        _draw_timeline(console, covered.booked, told, "When a book was recorded")


def draw_holdings(console: Console, held: Sequence[Holding]) -> None:
    table = folding("tape", "markets", "booked", "steps", "from", "to", "digest", title="Tapes")
    for each in held:
        if each.problem is None:
            counts = (str(each.markets), str(each.booked), str(each.steps))
            table.add_row(
                printable(each.name), *counts, moment(each.first), moment(each.last), (each.digest or "")[:12]
            )
    console.print(table)
    for each in held:
        if each.books is not None:
            _say(console, f"books: {each.name}: {_books(each.books)}")
        if each.problem is not None:
            _say(console, f"broken: {each.path}: {each.problem}")


def moment(at: int | None) -> str:
    """Microseconds UTC as a date and a time of day, to the second unless there is more."""
    if at is None:
        return ""
    whole = EPOCH + timedelta(microseconds=at)
    return whole.replace(tzinfo=None).isoformat(sep=" ") + "Z"


def duration(length: int | None) -> str:
    """Microseconds in words of days, hours, minutes and seconds; the rest as a fraction of a second."""
    return "" if length is None else str(timedelta(microseconds=length))


def dollars(micros: int | None) -> str:
    """Micro-USD with all six digits, without the zeros at the end."""
    if micros is None:
        return ""
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}".rstrip("0").rstrip(".")


def percent(ppm: int) -> str:
    return f"{ppm // 10_000}.{ppm % 10_000 // 100:02d} %"


def _draw_summary(console: Console, told: Coverage) -> None:
    _say(console, f"digest   {told.digest}")
    _say(
        console,
        f"markets  {told.markets} in the file, {told.priced} priced, {told.outcomes} of them with an outcome",
    )
    _say(console, f"points   {told.points} at {told.steps} steps")
    if told.books is not None:
        _say(console, f"books    {_books(told.books)}, of {told.booked} markets")
    _say(console, f"from     {moment(told.first)}")
    _say(console, f"to       {moment(told.last)}")
    if told.usual_step is not None:
        _say(console, f"a step   {duration(told.usual_step)} (median)")


def _books(told: BookCoverage) -> str:
    """How many books, how often, how wide."""
    wide = (
        f"spread {dollars(told.spread_median)} (median), {dollars(told.spread_90)} (90 %)"
        if told.spread_median is not None
        else "no spread"
    )
    count = f"{told.yes_books} + {told.no_books} at {told.steps} steps ({percent(told.share)})"
    return f"{count}, {wide}, {told.one_sided} one-sided or empty, up to {told.levels} levels"


def _draw_gaps(console: Console, gaps: Sequence[Gap], title: str) -> None:
    if not gaps:
        return
    table = folding("from", "to", "length", title=title)
    for gap in gaps:
        table.add_row(moment(gap.start), moment(gap.end), duration(gap.length))
    console.print(table)


def _draw_markets(console: Console, markets: Sequence[MarketCoverage]) -> None:
    if len(markets) == 1:
        for name, cell in _CELLS.items():
            _say(console, f"{name:12} {cell(markets[0])}")
        return
    shown = dict(_CELLS) if console.width >= WIDE else {name: _CELLS[name] for name in _NARROW}
    if not any(market.books for market in markets):
        shown.pop("books", None)
    table = folding(*shown, title="Markets, by first price")
    ordered = sorted(markets, key=lambda market: (market.first or 0, market.market))
    for market in ordered[:MOST_ROWS]:
        table.add_row(*(cell(market) for cell in shown.values()))
    console.print(table)
    if len(ordered) > MOST_ROWS:
        _say(console, f"and {len(ordered) - MOST_ROWS} more: --market ID shows one, --json all")


_CELLS: Mapping[str, Callable[[MarketCoverage], str]] = {
    "market": lambda market: printable(f"{market.market} {market.question}"),
    "points": lambda market: f"{market.yes_points} + {market.no_points}",
    "first": lambda market: moment(market.first),
    "last": lambda market: moment(market.last),
    "largest gap": lambda market: duration(market.largest_gap.length if market.largest_gap else None),
    "priced": lambda market: percent(market.share),
    "last price": lambda market: f"{dollars(market.yes_price) or '-'} / {dollars(market.no_price) or '-'}",
    "outcome": lambda market: dollars(market.outcome),
    "|yes+no-1|": lambda market: dollars(market.contradiction),
    "books": lambda market: _market_books(market.books),
}
_NARROW = ("market", "points", "priced", "last price", "outcome")


def _market_books(told: BookCoverage | None) -> str:
    if told is None:
        return ""
    wide = f"spread {dollars(told.spread_median) or '-'} / {dollars(told.spread_90) or '-'}"
    return f"{told.yes_books} + {told.no_books}, {wide}"


def _draw_timeline(console: Console, timeline: Timeline, told: Coverage, title: str) -> None:
    from rich.cells import cell_len, set_cell_size

    labels = {name: printable(name) for name in timeline.names}
    width = min(console.width // LABEL, max(map(cell_len, labels.values()), default=0))
    _say(console, f"{title}, {moment(told.first)} to {moment(told.last)}; · the tape goes on without it")
    for name, label in list(labels.items())[:MOST_LINES]:
        # the middle goes: ids and slugs of one tape differ at their ends
        cut = label if cell_len(label) <= width else f"{label[: width // 2 - 1]}…{label[-(width // 2) :]}"
        _say(console, f"{set_cell_size(cut, width)}  {timeline.picture(name)}".rstrip())
    if len(labels) > MOST_LINES:
        _say(console, f"and {len(labels) - MOST_LINES} more")


def _say(console: Console, line: str) -> None:
    console.print(printable(line), soft_wrap=True)
