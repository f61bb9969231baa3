"""The page: one file that needs nothing else, for whoever is shown what a run did.

Laws: no network, no script, no asset beside it; the policy in its head allows one style sheet, by its hash, and nothing
more. Every figure comes from the report.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

import msgspec

from pp_host.app.report.gather import Gathered
from pp_host.app.report.shapes import Header, Report
from pp_host.cli.output import moment, when
from pp_host.cli.page.markup import Html, joined, tag, text, verbatim
from pp_host.cli.page.sections import charts, sections, tiles
from pp_host.cli.strategy import briefed

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
        tag("main", tiles(report), charts(report), *sections(report, chains)),
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
        ("ran", f"{moment(header.started)} to {moment(header.ended) or 'now'} UTC"),
        ("cycles", _cycles(header)),
        ("account", header.account),
        *([("strategy", briefed(*msgspec.structs.astuple(header.strategy)))] if header.strategy else []),
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
        tag("pre", verbatim("\n".join(map(text, proof.note.splitlines())))),
        tag("p", "Public key: ", tag("code", proof.vkey)),
    )
