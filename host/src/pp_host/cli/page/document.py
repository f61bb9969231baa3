"""The page: one file that needs nothing else, for whoever is shown what a run did.

Laws: no network, no script, no asset beside it; the policy in its head allows one style sheet, by its hash, and nothing
more. Every figure comes from the report.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib import resources

from pp_host.app.report.gather import Gathered
from pp_host.app.report.shapes import Header, Money, Report
from pp_host.cli.output import cents, percent, when
from pp_host.cli.page import charts, rows
from pp_host.cli.page.drawing import bar_chart, line_chart
from pp_host.cli.page.markup import Html, joined, tag, verbatim
from pp_host.cli.page.rows import Chains

STATES = {
    "finished": "finished",
    "running": "still running: this is how far it was",
    "interrupted": "it did not end in good order: this is how far it came",
}


def page(gathered: Gathered) -> str:
    """The whole document."""
    report, chains = gathered
    body = joined(
        _top(report),
        tag("main", _tiles(report), _charts(report), *_sections(report, chains)),
        tag("footer", _proof(report)),
    )
    return f"<!doctype html>\n{tag('html', _head(report.header), tag('body', body), lang='en')}\n"


def _head(header: Header) -> Html:
    style = resources.files("pp_host.cli.page").joinpath("style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        verbatim('<meta charset="utf-8">'),
        _meta(http_equiv="Content-Security-Policy", content=policy),
        _meta(name="viewport", content="width=device-width, initial-scale=1"),
        _meta(name="color-scheme", content="light dark"),
        _meta(name="referrer", content="no-referrer"),
        tag("title", f"Run {header.run}"),
        tag("style", verbatim(style)),
    )


def _meta(**attributes: str) -> Html:
    return verbatim(tag("meta", **attributes).removesuffix("</meta>"))


def _top(report: Report) -> Html:
    header, proof = report.header, report.proof
    kind = "a recorded tape" if header.tape else header.mode
    facts = [
        ("mode", f"{header.mode}, on a recorded tape" if header.tape else header.mode),
        ("state", STATES[header.state]),
        *([("halted", header.halted)] if header.halted else []),
        ("market time", _between(header)),
        ("ran", f"{header.started} to {header.ended or 'now'}"),
        ("cycles", _cycles(header)),
        ("account", header.account),
        *([("tape sha256", header.tape)] if header.tape else []),
        ("settings sha256", header.config),
        ("seed, version", f"{header.seed}, pp {header.version}"),
    ]
    listed = [part for name, value in facts for part in (tag("dt", name), tag("dd", value))]
    verified = tag(
        "p",
        "✔ record verified",
        f": {proof.size:,} entries, root ",
        tag("code", proof.root),
        class_="verified",
    )
    return tag(
        "header",
        tag("p", "ProbablyProfit", class_="brand"),
        tag("h1", f"Run {header.run}"),
        tag("p", f"What {len(report.plugins)} sandboxed plugins did on {kind}.", class_="lead"),
        verified,
        tag("dl", *listed),
    )


def _between(header: Header) -> str:
    if header.first is None or header.last is None:
        return "nothing was observed"
    return f"{when(header.first)} to {when(header.last)} UTC"


def _cycles(header: Header) -> str:
    looks = f"{header.observations:,} observations"
    return looks if header.cycles is None else f"{header.cycles:,} cycles, {looks}"


def _tiles(report: Report) -> Html:
    money, counts = report.money, report.counts
    share = percent(money.profit * 1_000_000 // money.equity_start) if money.equity_start > 0 else ""
    fall = (
        f"{percent(money.drawdown_ppm)}, {when(money.drawdown_at)}" if money.drawdown_at is not None else ""
    )
    tiles = [
        ("equity at start", f"$ {cents(money.equity_start)}", ""),
        ("equity at end", f"$ {cents(money.equity_end)}", f"cash $ {cents(money.cash)}"),
        ("profit", f"$ {charts.signed(money.profit)}", share),
        ("fees", f"$ {cents(money.fees)}", f"on $ {cents(money.bought + money.sold)} traded"),
        ("deepest drawdown", f"$ {cents(money.drawdown)}", fall),
        ("trades", f"{counts.fills:,}", f"{counts.orders:,} orders of {counts.decisions:,} decisions"),
        ("markets", f"{counts.markets:,} traded", f"{counts.settled:,} of all seen were resolved"),
        ("resolved while held", *_won(report)),
    ]
    return tag("section", *(_tile(*each) for each in tiles), class_="tiles", aria_label="In short")


def _tile(name: str, value: str, note: str) -> Html:
    return tag(
        "div",
        tag("span", name, class_="name"),
        tag("b", value),
        tag("span", note, class_="note"),
        class_="tile",
    )


def _won(report: Report) -> tuple[str, str]:
    """How many of the markets that were held to their end paid: a share of few is said as few."""
    counts = report.counts
    if not counts.settled_held:
        return "none", "nothing to tell a win rate from"
    share = counts.settled_won * 1_000_000 // counts.settled_held
    return (
        f"{counts.settled_won:,} of {counts.settled_held:,} won",
        f"{percent(share)} brought more than they cost, with fees",
    )


def _charts(report: Report) -> Html:
    lines = [line_chart(chart) for chart in charts.line_charts(report)]
    bars = [
        bar_chart(chart) for chart in (charts.agents(report), charts.markets(report), charts.verdicts(report))
    ]
    nothing = (
        Html()
        if lines
        else tag(
            "p", "Nothing was observed in this run, so there is nothing to draw over time.", class_="none"
        )
    )
    return tag("section", tag("h2", "Course"), nothing, *lines, *bars, class_="charts")


def _sections(report: Report, chains: Chains) -> Iterator[Html]:
    counts = report.counts
    yield _section("plugins", "Plugins", _PLUGINS, rows.plugins(report.plugins))
    yield _section(
        "money",
        "Where the profit came from",
        _reckoning(report.money),
        _if(report.agents, rows.takings("agent", report.agents)),
    )
    yield _section(
        "winners", "Largest winners", "", _if(report.winners, rows.takings("market", report.winners))
    )
    yield _section("losers", "Largest losers", "", _if(report.losers, rows.takings("market", report.losers)))
    yield _section("trades", "Trades", _shown(report), _if(report.trades, rows.trades(report, chains)))
    settled = (
        f"{counts.settled_held:,} markets ended while held; the newest {len(report.payouts):,} are shown."
    )
    yield _section(
        "payouts", "Settlements", settled if report.payouts else "", _if(report.payouts, rows.payouts(report))
    )
    judged = [one for one in report.reasons if one.verdict in ("denied", "reduced")]
    yield _section(
        "denials",
        "Denied and reduced",
        "Each with the last decision that met it.",
        _if(judged, rows.denials(judged)),
    )
    wrong = f"{report.troubled:,} entries in all; the newest {len(report.troubles):,} are shown."
    yield _section(
        "troubles",
        "What went wrong",
        wrong if report.troubles else "",
        _if(report.troubles, rows.troubles(report)),
    )


_PLUGINS = (
    "A failure is a call without a good answer, a fall an end of the process that nobody asked for. Spent is what"
    " purchases cost, with the fees of all trades."
)


def _section(name: str, title: str, words: str, content: Html) -> Html:
    return tag("section", tag("h2", title), tag("p", words) if words else Html(), content, id=name)


def _if(rows_of: object, drawn: Html) -> Html:
    return drawn if rows_of else tag("p", "None in this run.", class_="none")


def _reckoning(money: Money) -> str:
    profit, realised, revalued = map(charts.signed, (money.profit, money.realised, money.revalued))
    return (
        f"Profit $ {profit} = realised $ {realised} - fees $ {cents(money.fees)} + open positions $ {revalued}: by how"
        " much their worth at the best bids, less their cost, has changed. Agents and markets are shown by what was"
        " realised, less fees; open positions count when they are closed."
    )


def _shown(report: Report) -> str:
    shown, fills, run = len(report.trades), report.counts.fills, report.header.run
    if not shown:
        return ""
    if shown == fills:
        return "All of them, the newest first. The order's id opens how it came about."
    return (
        f"The newest {shown:,} of {fills:,}, each with how it came about; the figures above are over all."
        f" `pp fills --run {run} -n {fills}` lists the rest, `pp audit why ORDER` tells of each how it came about."
    )


def _proof(report: Report) -> Html:
    proof = report.proof
    return joined(
        tag("h2", "How to check this"),
        tag(
            "p",
            f"Everything here was read from the first {proof.read:,} entries of an append-only record, a Merkle tree"
            f" with signed checkpoints. All its {proof.size:,} entries and {proof.checkpoints:,} checkpoints were"
            " verified when this page was made. On the machine that keeps it, ",
            tag("code", "pp audit verify"),
            " does it again; with the checkpoint below in a file, ",
            tag("code", "pp audit verify --checkpoint FILE"),
            " shows that the record still begins with what this page was made from. The page itself is not signed.",
        ),
        tag("pre", verbatim("\n".join(map(_escaped, proof.note.splitlines())))),
        tag("p", "Public key: ", tag("code", proof.vkey)),
    )


def _escaped(line: str) -> str:
    return joined(line)
