"""What a chart shows, as data: axes, lines, bars, and the words beside them. Page and pictures draw the same.

Laws: values are integers of micro-USD or counts; nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal, NamedTuple

from pp_host.app.report.curve import Curve
from pp_host.app.report.shapes import Report, Taking
from pp_host.cli.output import cents, elided, percent, when
from pp_host.cli.tables import plugin_names
from pp_host.model import MICRO, PPM

TICKS = 5
CENT = MICRO // 100
LABEL = 26  # characters of a market's name
MOST_TICKS = 7  # of a time axis, plus one
Kind = Literal["gain", "loss", "approved", "reduced", "denied", "none"]
VERDICT_KINDS: Mapping[str, Kind] = {"approved": "approved", "reduced": "reduced", "denied": "denied"}
RANKS = {verdict: rank for rank, verdict in enumerate(VERDICT_KINDS)}


class Axis(NamedTuple):
    """From `low` to `high`, with some ticks in between and their words."""

    low: int
    high: int
    ticks: tuple[int, ...]
    labels: tuple[str, ...]

    def place(self, value: int) -> float:
        """Where between the ends, 0 to 1; the middle of an axis that has no length."""
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5


class LineChart(NamedTuple):
    """One curve; `filled` to the zero line."""

    title: str
    summary: str
    curve: Curve
    values: Axis
    times: Axis
    filled: bool = False


class Bar(NamedTuple):
    """`words` is the value as it is to be read."""

    label: str
    value: int
    words: str
    kind: Kind


class BarChart(NamedTuple):
    """Groups of bars, each with a heading."""

    title: str
    summary: str
    groups: tuple[tuple[str, tuple[Bar, ...]], ...]

    @property
    def bars(self) -> Iterator[Bar]:
        return (bar for _, bars in self.groups for bar in bars)


def line_charts(report: Report) -> tuple[LineChart, ...]:
    """Equity, its fall below its highest, exposure, cash; none of a run that observed nothing."""
    header, curves, money = report.header, report.curves, report.money
    if header.first is None or header.last is None:
        return ()
    times = time_axis(header.first, header.last)
    fall = f"deepest $ {cents(money.drawdown)}" if money.drawdown else "never below its highest"
    exposure = f"open positions at cost and open orders; {_extremes(curves.exposure)}"
    return (
        _line_chart("Equity", _extremes(curves.equity), times, curves.equity),
        _line_chart(
            "Drawdown", f"equity less its highest so far; {fall}", times, curves.drawdown, filled=True
        ),
        _line_chart("Exposure", exposure, times, curves.exposure, filled=True),
        _line_chart("Cash", _extremes(curves.cash), times, curves.cash),
    )


def verdicts(report: Report) -> BarChart:
    """How often each agent's wishes met each verdict and reason."""
    groups = []
    for plugin, rows in groupby(report.reasons, key=lambda row: row.plugin):
        counted = sorted(rows, key=lambda row: (RANKS.get(row.verdict, 3), -row.decisions))
        total = sum(row.decisions for row in counted)
        bars = tuple(_verdict(row.verdict, row.reason, row.decisions, total) for row in counted)
        groups.append((f"{plugin}: {total:,} decisions", bars))
    counts = report.counts
    summary = (
        f"{counts.decisions:,} decisions: {counts.approved:,} approved, {counts.reduced:,} reduced,"
        f" {counts.denied:,} denied"
    )
    return BarChart("Verdicts by agent and reason", summary, tuple(groups))


def agents(report: Report) -> BarChart:
    """With what open positions came to, which no agent's figure holds, the bars add up to the profit of the run."""
    money = report.money
    still = _amount("open positions, all agents", money.revalued)
    summary = f"realised less fees, and open positions: {gain(money.profit)} in all"
    names = plugin_names(one.name for one in report.agents)
    bars = tuple(_amount(names[one.name], one.profit) for one in report.agents)
    return BarChart("Profit by agent", summary, (("", (*bars, still)),))


def markets(report: Report) -> BarChart:
    """The largest winners and losers, and all others in one bar."""
    bars = [*map(_market, report.winners)]
    if report.other_markets:
        bars.append(_amount(f"{report.other_markets:,} other markets", report.other_profit))
    bars += map(_market, reversed(report.losers))
    return BarChart(
        "Profit by market",
        "realised less fees; open positions not counted",
        (("", tuple(bars)),) if bars else (),
    )


def signed(micros: int) -> str:
    return f"+{cents(micros)}" if micros > 0 else cents(micros)


def dollars(micros: int) -> str:
    """-4_930_000 -> '-$ 4.93'"""
    return f"{'-' if micros < 0 else ''}$ {cents(abs(micros))}"


def gain(micros: int) -> str:
    """The same, and 119_200_000 -> '+$ 119.20'."""
    return f"+{dollars(micros)}" if micros > 0 else dollars(micros)


def _market(taking: Taking) -> Bar:
    return _amount(elided(taking.name, LABEL), taking.profit)


def _amount(label: str, profit: int) -> Bar:
    return Bar(label, profit, gain(profit), _kind(profit))


def _kind(profit: int) -> Kind:
    return "gain" if profit > 0 else "loss" if profit < 0 else "none"


def _verdict(verdict: str, reason: str, decisions: int, total: int) -> Bar:
    label = ": ".join(part for part in (verdict or "not judged", reason) if part)
    share = decisions * PPM // total
    words = f"{decisions:,} ({percent(share) if share >= PPM // 1000 else '< 0.1 %'})"
    return Bar(label, decisions, words, VERDICT_KINDS.get(verdict, "none"))


def _line_chart(title: str, summary: str, times: Axis, curve: Curve, *, filled: bool = False) -> LineChart:
    values = money_axis(curve.lowest.value, curve.highest.value)
    return LineChart(title, summary, curve, values, times, filled)


def _extremes(curve: Curve) -> str:
    low, high = curve.lowest, curve.highest
    if low.value == high.value:
        return f"{dollars(low.value)} all the time"
    return (
        f"lowest {dollars(low.value)} at {when(low.at)}, highest {dollars(high.value)} at {when(high.at)} UTC"
    )


def money_axis(low: int, high: int) -> Axis:
    """Ticks at 1, 2 or 5 times a power of ten, a cent at least; the ends are ticks that hold `low` and `high`.

    Around one value alone they are a dollar apart.
    """
    flat = low == high
    step = MICRO if flat else _step(max((high - low) // (TICKS - 1), abs(high) // 1000 // (TICKS - 1), CENT))
    first, last = low // step * step, -(-high // step) * step
    ticks = tuple(range(first, max(last, first + step) + step, step))
    digits = 2 if flat or step < MICRO else 0
    return Axis(ticks[0], ticks[-1], ticks, tuple(f"{tick / MICRO:,.{digits}f}" for tick in ticks))


def _step(least: int) -> int:
    size = 1
    while 10 * size < least:
        size *= 10
    return next(factor * size for factor in (1, 2, 5, 10) if factor * size >= least)


DAY = 86_400
STEPS = (
    1,
    5,
    15,
    60,
    300,
    900,
    3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    *(days * DAY for days in (1, 2, 4, 7, 14, 30, 90, 365)),
)


def time_axis(first: int, last: int) -> Axis:
    """Microseconds UTC; ticks at whole seconds, minutes, hours or days in between, the moment itself when it is one."""
    span = last - first
    step = next((step for step in STEPS if span <= MOST_TICKS * step * MICRO), STEPS[-1]) * MICRO
    ticks = tuple(range(-(-first // step) * step, last + 1, step)) or (first,)
    spelling = "%d %b" if step >= DAY * MICRO else "%d %b %H:%M" if span > DAY * MICRO else "%H:%M"
    if step < 60 * MICRO:
        spelling = "%H:%M:%S"
    return Axis(
        first,
        last,
        ticks,
        tuple(f"{datetime.fromtimestamp(tick // MICRO, UTC):{spelling}}" for tick in ticks),
    )
