"""How a trade came about, step by step: each entry on the way in a sentence, and what it says in full.

Laws: the sentence is ours and made of what the entry holds; an entry of which we know no sentence has only its fields.
Texts of strangers are bounded as well as escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pp_host.app.report.shapes import Link
from pp_host.cli.output import brief, cents, elided, moment, percent, price
from pp_host.cli.page.markup import Html, tag
from pp_host.cli.strategy import fields, selected

WORDS = 300  # characters of a plugin's own words
FIELDS = 1_200  # characters of an entry's fields: `pp audit show` has them all
DIGEST = 16


def story(order: str, chain: Sequence[Link]) -> Html:
    command = tag("code", f"pp audit why {order}")
    return tag(
        "div",
        tag(
            "p",
            "From the snapshot to the trade, as the record has it. ",
            command,
            " tells it on its machine.",
        ),
        tag("ol", *map(_step, chain)),
        tag("p", tag("a", "close", href="#trades")),
        class_="story",
    )


def _step(step: Link) -> Html:
    digest = tag("code", f" sha256:{step.digest[:DIGEST]}", title=step.digest) if step.digest else ""
    head = tag("div", tag("b", step.event), " ", _sentence(step.event, step.subject))
    judged = "".join(f", {word}" for word in (step.verdict, elided(step.rule)) if word)
    at = tag("span", moment(step.ts), title=step.ts)
    where = tag("div", f"entry {step.seq} at ", at, f" by {step.who}", digest, judged, class_="entry")
    told = fields(step.event, step.subject)
    words = "  ".join(f"{key}={_value(value)}" for key, value in told.items() if value not in ("", None))
    return tag("li", head, where, tag("div", brief(words, FIELDS), class_="subject"))


def _sentence(event: str, told: Mapping[str, Any]) -> str:
    """In words; empty of an event that has none here, and of an entry that lacks what it should hold."""
    try:
        return SENTENCES[event](told)
    except (KeyError, TypeError):
        return ""


def _decided(told: Mapping[str, Any]) -> str:
    chance, wish = (
        percent(told["probability_ppm"]),
        f"{told['side']} {told['outcome']} of {elided(told['market'])}",
    )
    why = f": \u201c{brief(told['rationale'], WORDS)}\u201d" if told["rationale"] else ""
    return f"The agent wishes to {brief(wish, WORDS)}, which it gives a chance of {chance}{why}"


def _judged(told: Mapping[str, Any]) -> str:
    order = f": {cents(told['shares'])} shares at $ {price(told['limit_price'])}" if told["order"] else ""
    why = f", by {told['reason']}" if told["reason"] else ""
    return f"The host judges: {told['verdict']}{why}{order}"


def _intended(told: Mapping[str, Any]) -> str:
    return (
        f"Written down before it is sent: {told['side']} {cents(told['shares'])} {told['outcome']}"
        f" at $ {price(told['limit_price'])} or better; $ {cents(told['reserve'])} set aside"
    )


def _filled(told: Mapping[str, Any]) -> str:
    traded = f"{cents(told['shares'])} shares at $ {price(told['price'])}"
    return f"{traded}: $ {cents(told['amount'])}, fee $ {price(told['fee'])}"


SENTENCES = {
    "snapshot": lambda told: f"{brief(told['source'], WORDS)} shows {told['rows']:,} markets",
    "observation": lambda told: (
        f"The host sees {told['rows']:,} markets; the account is worth $ {cents(told['equity'])},"
        f" $ {cents(told['exposure'])} of it at work"
    ),
    "selection": selected,
    "plugin.call": lambda told: f"The host asks the plugin to {told['hook']}",
    "decision": _decided,
    "verdict": _judged,
    "advice": lambda told: f"The risk plugin says {told['advice']}: {brief(told['reason'], WORDS)}",
    "order.intent": _intended,
    "order.ack": lambda told: "The venue has the order",
    "order.fill": _filled,
}


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)
