"""What stands between the page's head and foot: the run in short, its charts, and its tables."""

from __future__ import annotations

from collections.abc import Iterator

from pp_host.app.report.shapes import Money, Report
from pp_host.cli.output import cents, percent, when
from pp_host.cli.page import charts as drawn
from pp_host.cli.page import rows
from pp_host.cli.page.charts import dollars, gain
from pp_host.cli.page.drawing import bar_chart, line_chart
from pp_host.cli.page.markup import Html, joined, tag
from pp_host.cli.page.rows import Chains
from pp_host.model import PPM

FILLS_MOST = 100_000  # that `pp fills -n` takes


def tiles(report: Report) -> Html:
    money, counts = report.money, report.counts
    share = percent(money.profit * PPM // money.equity_start) if money.equity_start > 0 else ""
    fall = "" if money.drawdown_at is None else f"{percent(money.drawdown_ppm)}, {when(money.drawdown_at)}"
    shown = [
        ("equity at start", dollars(money.equity_start), ""),
        ("equity at end", dollars(money.equity_end), f"cash $ {cents(money.cash)}"),
        ("profit", gain(money.profit), share),
        ("fees", f"$ {cents(money.fees)}", f"on $ {cents(money.bought + money.sold)} traded"),
        ("deepest drawdown", f"$ {cents(money.drawdown)}", fall),
        ("trades", f"{counts.fills:,}", f"{counts.orders:,} orders of {counts.decisions:,} decisions"),
        ("markets", f"{counts.markets:,} traded", f"{counts.settled:,} of all seen were resolved"),
        ("resolved while held", *_won(report)),
    ]
    return tag("section", *(_tile(*each) for each in shown), class_="tiles", aria_label="In short")


def _tile(name: str, value: str, note: str) -> Html:
    parts = (tag("span", name, class_="name"), tag("b", value), tag("span", note, class_="note"))
    return tag("div", *parts, class_="tile")


def _won(report: Report) -> tuple[str, str]:
    """How many of the markets that were held to their end paid: a share of few is said as few."""
    held, won = report.counts.settled_held, report.counts.settled_won
    if not held:
        return "none", "nothing to tell a win rate from"
    return f"{won:,} of {held:,} won", f"{percent(won * PPM // held)} brought more than they cost, with fees"


def charts(report: Report) -> Html:
    lines = [line_chart(chart) for chart in drawn.line_charts(report)]
    bars = [bar_chart(chart(report)) for chart in (drawn.agents, drawn.markets, drawn.verdicts)]
    nothing = "Nothing was observed in this run, so there is nothing to draw over time."
    drawing = lines or [tag("p", nothing, class_="none")]
    return tag("section", tag("h2", "Course"), *drawing, *bars, class_="charts")


def sections(report: Report, chains: Chains) -> Iterator[Html]:
    """Every table, with a word in place of an empty one."""
    counts = report.counts
    judged = [one for one in report.reasons if one.verdict in ("denied", "reduced")]
    ended = f"{counts.settled_held:,} markets ended while held; the newest {len(report.payouts):,} are shown."
    wrong = f"{report.troubled:,} entries in all; the newest {len(report.troubles):,} are shown."
    each = "Each with the last decision that met it."
    agents, winners, losers, trades = report.agents, report.winners, report.losers, report.trades
    yield _section("plugins", "Plugins", _PLUGINS, rows.plugins(report.plugins))
    yield _section(
        "money", "Where the profit came from", _sum(report.money), agents and rows.takings("agent", agents)
    )
    yield _section("winners", "Largest winners", "", winners and rows.takings("market", winners))
    yield _section("losers", "Largest losers", "", losers and rows.takings("market", losers))
    yield _section("trades", "Trades", trades and _shown(report), trades and rows.trades(report, chains))
    yield _section(
        "payouts", "Settlements", report.payouts and ended, report.payouts and rows.payouts(report)
    )
    yield _section("denials", "Denied and reduced", judged and each, judged and rows.denials(judged))
    yield _section(
        "troubles", "What went wrong", report.troubles and wrong, report.troubles and rows.troubles(report)
    )


_PLUGINS = (
    "A failure is a call without a good answer, a fall an end of the process that nobody asked for. Spent is what"
    " purchases cost, with the fees of all trades."
)


def _section(name: str, title: str, words: object, content: object) -> Html:
    told = tag("p", words) if isinstance(words, str) and words else Html()
    filled = content if isinstance(content, Html) else tag("p", "None in this run.", class_="none")
    return tag("section", tag("h2", title), told, filled, id=name)


def _sum(money: Money) -> str:
    profit, realised, revalued = map(gain, (money.profit, money.realised, money.revalued))
    return (
        f"Profit {profit} = realised {realised} - fees $ {cents(money.fees)} + open positions {revalued}: by how"
        " much their worth at the best bids, less their cost, has changed. Agents and markets are shown by what was"
        " realised, less fees; open positions count when they are closed."
    )


def _shown(report: Report) -> Html:
    shown, fills = len(report.trades), report.counts.fills
    if shown == fills:
        return joined("All of them, the newest first. The order's id opens how it came about.")
    command = f"pp fills --run {report.header.run} -n {min(fills, FILLS_MOST)}"
    return joined(
        f"The newest {shown:,} of {fills:,}; the order's id opens how it came about. All figures and charts are over"
        " all trades. On the machine of the record, ",
        tag("code", command),
        " lists the others, and ",
        tag("code", "pp audit why ORDER"),
        " tells of each how it came about.",
    )
