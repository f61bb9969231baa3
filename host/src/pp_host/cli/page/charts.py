"""What a chart shows, as data: axes, lines, bars, and the words beside them. Page and pictures draw the same.

Laws: values are integers of micro-USD or counts; nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal, NamedTuple

from pp_host.app.report.curve import Curve
from pp_host.app.report.shapes import Report, Taking
from pp_host.cli.output import cents, when

TICKS = 5
MICRO = 1_000_000
Kind = Literal["gain", "loss", "approved", "reduced", "denied", "none"]


class Axis(NamedTuple):
    """Evenly spaced ticks; the first and the last are the axis's ends."""

    ticks: tuple[int, ...]
    labels: tuple[str, ...]

    @property
    def low(self) -> int:
        return self.ticks[0]

    @property
    def span(self) -> int:
        return self.ticks[-1] - self.ticks[0]


class Line(NamedTuple):
    """`dashed` tells it from another on the same chart."""

    name: str
    curve: Curve
    dashed: bool = False


class LineChart(NamedTuple):
    title: str
    summary: str
    lines: tuple[Line, ...]
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
    """Equity, the fall below its highest, and money at work; none of a run that observed nothing."""
    header, curves, money = report.header, report.curves, report.money
    if header.first is None or header.last is None:
        return ()
    times = time_axis(header.first, header.last)
    fall = f"deepest $ {cents(money.drawdown)}" if money.drawdown else "never below its highest"
    return (
        _line_chart("Equity", _extremes(curves.equity), times, Line("equity", curves.equity)),
        _line_chart("Drawdown", fall, times, Line("below the highest so far", curves.drawdown), filled=True),
        _line_chart(
            "Exposure and cash",
            f"exposure {_extremes(curves.exposure)}",
            times,
            Line("exposure", curves.exposure),
            Line("cash", curves.cash, dashed=True),
        ),
    )


def verdicts(report: Report) -> BarChart:
    """How often each agent's wishes met each verdict and reason."""
    groups = []
    for plugin, rows in groupby(report.reasons, key=lambda row: row.plugin):
        counted = list(rows)
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
    return _profits("Profit by agent", "", report.agents)


def markets(report: Report) -> BarChart:
    left = (
        f"{report.other_markets:,} other markets: $ {signed(report.other_profit)}"
        if report.other_markets
        else ""
    )
    return _profits("Profit by market", left, (*report.winners, *reversed(report.losers)))


def signed(micros: int) -> str:
    return f"+{cents(micros)}" if micros > 0 else cents(micros)


def _profits(title: str, summary: str, takings: Sequence[Taking]) -> BarChart:
    bars = tuple(Bar(one.name, one.profit, f"$ {signed(one.profit)}", _kind(one.profit)) for one in takings)
    return BarChart(title, summary, (("", bars),) if bars else ())


def _kind(profit: int) -> Kind:
    return "gain" if profit > 0 else "loss" if profit < 0 else "none"


VERDICT_KINDS: Mapping[str, Kind] = {
    "approved": "approved",
    "reduced": "reduced",
    "denied": "denied",
    "": "none",
}


def _verdict(verdict: str, reason: str, decisions: int, total: int) -> Bar:
    label = ": ".join(part for part in (verdict or "not judged", reason) if part)
    share = f"{decisions * 1000 // total / 10:.1f} %"
    return Bar(label, decisions, f"{decisions:,} ({share})", VERDICT_KINDS[verdict])


def _line_chart(title: str, summary: str, times: Axis, *lines: Line, filled: bool = False) -> LineChart:
    lows = [line.curve.lowest.value for line in lines if line.curve.lowest]
    highs = [line.curve.highest.value for line in lines if line.curve.highest]
    return LineChart(title, summary, lines, money_axis(min(lows), max(highs)), times, filled)


def _extremes(curve: Curve) -> str:
    low, high = curve.lowest, curve.highest
    if low is None or high is None:
        return ""
    if low.value == high.value:
        return f"$ {cents(low.value)} all the time"
    return (
        f"lowest $ {cents(low.value)} at {when(low.at)}, highest $ {cents(high.value)} at {when(high.at)} UTC"
    )


def money_axis(low: int, high: int) -> Axis:
    """Ticks at 1, 2 or 5 times a power of ten micro-USD that hold `low` and `high`."""
    step = _step(max(high - low, abs(high) // 1000, MICRO // 100) // (TICKS - 1))
    first = low // step * step
    last = -(-max(high, first + step) // step) * step
    ticks = tuple(range(first, last + step, step))
    digits = 0 if step % MICRO == 0 else 2 if step % 10_000 == 0 else 6
    return Axis(ticks, tuple(f"{tick / MICRO:,.{digits}f}" for tick in ticks))


def _step(least: int) -> int:
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size >= least:
                return factor * size
        size *= 10


SPELLINGS = (  # for a span of at least so many seconds
    (4 * 86_400, "%d %b"),
    (86_400, "%d %b %H:%M"),
    (600, "%H:%M"),
    (0, "%H:%M:%S"),
)


def time_axis(first: int, last: int) -> Axis:
    """Microseconds UTC in even parts; one tick for one moment."""
    span = last - first
    ticks = tuple(first + span * part // (TICKS - 1) for part in range(TICKS)) if span else (first,)
    spelling = next(words for least, words in SPELLINGS if span >= least * MICRO)
    labels = tuple(f"{datetime.fromtimestamp(tick // MICRO, UTC):{spelling}}" for tick in ticks)
    return Axis(ticks, labels)
