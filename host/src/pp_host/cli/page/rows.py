"""The tables of the page: plugins, trades with how each came about, payouts, markets, verdicts, what went wrong.

Laws: long ids are shortened in the middle and whole in their title; a stranger's text is bounded as well as escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pp_host.app.report.shapes import Link, PluginPart, ReasonCount, Report, Taking, Trade
from pp_host.cli.output import brief, cents, elided, moment, price, when
from pp_host.cli.page.charts import signed
from pp_host.cli.page.markup import Html, tag
from pp_host.cli.page.story import DIGEST, WORDS, story
from pp_host.cli.tables import ORDER_ID, plugin_names

Chains = Mapping[int, Sequence[Link]]


def table(heads: Sequence[str], rows: Iterable[Html], right: Sequence[str] = ()) -> Html:
    """Columns named in `right` hold numbers. Wide tables scroll by themselves, not the page."""
    cells = [tag("th", head, scope="col", **({"class_": "n"} if head in right else {})) for head in heads]
    inner = tag("table", tag("thead", tag("tr", *cells)), tag("tbody", *rows))
    return tag("div", inner, class_="wide", tabindex="0", role="region", aria_label=", ".join(heads))


def number(words: str) -> Html:
    return tag("td", words, class_="n")


def short(name: str, most: int = 28) -> Html:
    return tag("span", elided(name, most), title=name)


def plugins(parts: Sequence[PluginPart]) -> Html:
    numbers = ("starts", "calls", "failures", "falls", "spent $")
    heads = ("plugin", "version", "package sha256", *numbers, "ended")
    return table(heads, (_plugin(part) for part in parts), numbers)


def _plugin(part: PluginPart) -> Html:
    counts = (part.starts, part.calls, part.failures, part.falls)
    return tag(
        "tr",
        tag("th", part.id, scope="row"),
        tag("td", part.version or "never started"),
        tag("td", tag("code", part.digest[:DIGEST], title=part.digest)),
        *(number(f"{count:,}") for count in counts),
        number(cents(part.spent)),
        tag("td", "in quarantine" if part.quarantined else ""),
    )


TRADE_NUMBERS = ("shares", "price $", "amount $", "fee $", "realised $")


def trades(report: Report, chains: Chains) -> Html:
    heads = ("at (UTC)", "agent", "market", "trade", *TRADE_NUMBERS, "why")
    names = plugin_names(trade.plugin for trade in report.trades)
    rows = (
        row
        for trade in reversed(report.trades)
        for row in (_trade(trade, names[trade.plugin]), _why(trade, chains[trade.seq], len(heads)))
    )
    return table(heads, rows, TRADE_NUMBERS)


def _trade(trade: Trade, agent: str) -> Html:
    figures = (
        cents(trade.shares),
        price(trade.price),
        cents(trade.amount),
        price(trade.fee),
        "" if trade.realised is None else signed(trade.realised),
    )
    words = f"how order {trade.order} came about"
    return tag(
        "tr",
        tag("td", when(trade.at)),
        tag("td", tag("span", agent, title=trade.plugin)),
        tag("td", short(trade.market)),
        tag("td", f"{trade.side} {trade.outcome}"),
        *map(number, figures),
        tag("td", tag("a", trade.order[:ORDER_ID], href=f"#why-{trade.seq}", title=words)),
    )


def _why(trade: Trade, chain: Sequence[Link], columns: int) -> Html:
    told = tag("td", story(trade.order, chain), colspan=str(columns))
    return tag("tr", told, id=f"why-{trade.seq}", class_="why")


def payouts(report: Report) -> Html:
    numbers = ("YES paid $", "yes held", "no held", "payout $", "cost $", "realised $")
    rows = (
        tag(
            "tr",
            tag("td", when(one.at)),
            tag("td", short(one.market)),
            number(price(one.yes_payout)),
            *(number(cents(each)) for each in (one.yes_shares, one.no_shares, one.payout, one.cost)),
            number(signed(one.realised)),
        )
        for one in reversed(report.payouts)
    )
    return table(("at (UTC)", "market", *numbers), rows, numbers)


def takings(heading: str, rows: Sequence[Taking]) -> Html:
    numbers = ("trades", "bought $", "sold $", "paid out $", "realised $", "fees $", "profit $")
    drawn = (
        tag(
            "tr",
            tag("th", short(one.name, 36), scope="row"),
            number(f"{one.trades:,}"),
            *(number(cents(each)) for each in (one.bought, one.sold, one.paid)),
            number(signed(one.realised)),
            number(cents(one.fees)),
            number(signed(one.profit)),
        )
        for one in rows
    )
    return table((heading, *numbers), drawn, numbers)


def denials(rows: Sequence[ReasonCount]) -> Html:
    """Denials and reductions, each with the last wish that met it."""
    names = plugin_names(one.plugin for one in rows)
    heads = (
        "agent",
        "verdict",
        "reason",
        "decisions",
        "last at (UTC)",
        "its market",
        "detail",
        "what the agent said",
    )
    drawn = (
        tag(
            "tr",
            tag("td", tag("span", names[one.plugin], title=one.plugin)),
            tag("td", one.verdict),
            tag("td", one.reason),
            number(f"{one.decisions:,}"),
            tag("td", when(one.at)),
            tag("td", short(one.market, 18)),
            tag("td", brief(one.detail, WORDS), class_="words"),
            tag("td", brief(one.rationale, WORDS), class_="words"),
        )
        for one in rows
    )
    return table(heads, drawn, ("decisions",))


def troubles(report: Report) -> Html:
    rows = (
        tag(
            "tr",
            tag("td", f"#{one.seq}"),
            tag("td", moment(one.ts), title=one.ts),
            tag("td", one.event),
            tag("td", one.plugin),
            tag("td", brief(one.text, WORDS), class_="words"),
        )
        for one in reversed(report.troubles)
    )
    return table(("entry", "at (UTC)", "event", "plugin", "what"), rows)
