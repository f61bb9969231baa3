"""A report put together: what the read models count, what the account's ledger says, and the proof over both.

Laws: reads only. Everything is of the first entries of the record up to one number, and the record is verified after
they were read, so that what was checked holds all that is shown.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from pp_host.app import views
from pp_host.app.catching_up import Advance, consulted
from pp_host.app.operator import record_verifier
from pp_host.app.report.books import RunBooks
from pp_host.app.report.course import EVENTS, RunCourse
from pp_host.app.report.shapes import (
    Counts,
    Header,
    Link,
    Proof,
    ReasonCount,
    Report,
    State,
    StrategyPart,
    Trade,
)
from pp_host.app.status import asked
from pp_host.core.entries import BOOKED
from pp_host.core.ledger import Ledger
from pp_host.errors import OperatorError
from pp_host.home import Home
from pp_host.record.entry import Entry
from pp_host.record.reader import RecordReader
from pp_host.record.verify import verify
from pp_host.storage import rundown
from pp_host.storage.read_model import ReadModel
from pp_host.storage.rundown import Rundown

TRADES = 300  # rows of the page, each with its whole chain: about a megabyte
EXTREMES = 10  # winners, and losers
EVERY = 5_000  # entries between two words about how far it is


class Doing(Protocol):
    """Told what is being done, gives what is to be told how far it is."""

    def __call__(self, *, what: str) -> AbstractContextManager[Advance]: ...


class Gathered(NamedTuple):
    """`chains` lead from the snapshot to the trade, by the entry of the trade."""

    report: Report
    chains: dict[int, tuple[Link, ...]]


def find(home: Home, named: str, doing: Doing) -> Rundown:
    """What the read models say of a run, all of one moment. OperatorError: no run, or several, are named so."""
    with doing(what="reading the record") as advance, consulted(home, advance) as model:
        return _asked(model, named)


def _asked(model: ReadModel, named: str) -> Rundown:
    with model.session() as session:
        return rundown.of_run(session, views.run_named(session, named), TRADES)


def gather(home: Home, found: Rundown, doing: Doing) -> Gathered:
    """The whole report. RecordError: the record is damaged, or contradicts its own books."""
    with RecordReader.open(home.state) as reader:
        books, version = _opened(reader, found)
        strategist = _strategist(reader, found)
        with doing(what="reading the run") as advance:
            course = _played(reader, found, books, advance)
        chains = {trade["seq"]: _chain(reader, trade["seq"]) for trade in found.trades}
    state = _state(home, found)
    with doing(what="verifying the record") as advance:
        proof = _proof(home, found.stop, advance)
    header = _header(found, books, course, state=state, version=version, strategist=strategist)
    return Gathered(_report(found, books, course, proof, header), chains)


def _opened(reader: RecordReader, found: Rundown) -> tuple[RunBooks, str]:
    """The account as the run found it, and the version of the host that ran."""
    run, stop = found.run, found.run.seq
    own = run.run in run.account  # then nothing in it is older than the run before this one
    entries = reader.entries(tuple(BOOKED), account=run.account, first=found.before if own else 0, stop=stop)
    ledger = Ledger.replay(run.account, ((entry.seq, entry.event, entry.subject) for entry in entries))
    hosts = reader.entries(("host.start",), run=run.run, first=found.before, stop=stop)
    versions = [str(entry.subject["version"]) for entry in hosts]
    return RunBooks(ledger), versions[-1] if versions else ""


def _strategist(reader: RecordReader, found: Rundown) -> str:
    """The id of who selected markets in the run, empty when nobody did."""
    selections = reader.entries(("selection",), run=found.run.run, first=found.run.seq, stop=found.stop)
    return next((entry.actor.id for entry in selections), "")


def _played(reader: RecordReader, found: Rundown, books: RunBooks, advance: Advance) -> RunCourse:
    course, run = RunCourse(), found.run
    entries = reader.entries((*EVENTS, *BOOKED), run=run.run, first=run.seq, stop=found.stop)
    for entry in entries:
        books.take(entry)
        course.take(entry)
        if entry.seq % EVERY == 0:
            advance(entry.seq - run.seq, found.stop - run.seq)
    return course


def _chain(reader: RecordReader, seq: int) -> tuple[Link, ...]:
    return tuple(_link(entry) for entry in reversed(list(reader.chain(seq))))


def _link(entry: Entry) -> Link:
    who = entry.actor
    return Link(
        seq=entry.seq,
        ts=entry.ts,
        event=entry.event,
        who=f"{who.id} {who.version}" if who.kind == "plugin" else who.kind,
        digest=who.digest,
        verdict=entry.verdict,
        rule=entry.rule,
        subject=entry.subject,
    )


def _proof(home: Home, read: int, advance: Advance) -> Proof:
    verifier = record_verifier(home)
    checked = verify(home.state, verifier, advance=advance)
    return Proof(
        size=checked.size,
        root=checked.root.hex(),
        checkpoints=checked.checkpoints,
        vkey=verifier.vkey,
        note=checked.note.decode(),
        read=read,
    )


def _state(home: Home, found: Rundown) -> State:
    """A run without an end in the record goes on only if a host says so."""
    if found.run.ended:
        return "finished"
    try:
        return "running" if asked(home)["run"] == found.run.run else "interrupted"
    except OperatorError:  # nobody listens, or somebody who does not answer
        return "interrupted"


def _report(found: Rundown, books: RunBooks, course: RunCourse, proof: Proof, header: Header) -> Report:
    markets, agents = books.markets(), books.agents(course.agents)
    gained = [one for one in markets if one.profit > 0][:EXTREMES]
    lost = [one for one in reversed(markets) if one.profit < 0][:EXTREMES]
    return Report(
        header=header,
        proof=proof,
        money=books.money(),
        counts=_counts(found, books),
        plugins=tuple(course.plugins({one.name: one.bought + one.fees for one in agents})),
        reasons=tuple(ReasonCount(**told) for told in found.reasons),
        agents=tuple(agents),
        winners=tuple(gained),
        losers=tuple(lost),
        other_markets=len(markets) - len(gained) - len(lost),
        other_profit=sum(one.profit for one in markets) - sum(one.profit for one in (*gained, *lost)),
        trades=tuple(Trade(**told) for told in found.trades),
        payouts=tuple(books.payouts),
        troubles=tuple(course.troubles),
        troubled=course.troubled,
        curves=books.curves(),
    )


def _header(
    found: Rundown, books: RunBooks, course: RunCourse, *, state: State, version: str, strategist: str
) -> Header:
    run, opening, ending = found.run, course.opening, course.ending
    said: dict[str, Any] = opening.subject if opening else {}
    return Header(
        run=run.run,
        account=run.account,
        mode=run.mode,
        state=state,
        started=run.started,
        ended=run.ended,
        first=books.first,
        last=books.last,
        cycles=ending.subject.get("cycles") if ending else None,
        observations=books.observations,
        seed=said.get("seed", 0),
        tape=said.get("tape", ""),
        config=said.get("config", ""),
        version=version,
        halted=course.halted,
        strategy=_strategy(said.get("brief"), strategist),
    )


def _strategy(told: dict[str, str] | None, strategist: str) -> StrategyPart | None:
    """As the run's start names the brief, or of a strategy without one as its selections name it."""
    if told:
        return StrategyPart(id=told["plugin"], brief=told["name"], brief_digest=told["digest"])
    return StrategyPart(id=strategist, brief="", brief_digest="") if strategist else None


def _counts(found: Rundown, books: RunBooks) -> Counts:
    verdicts: Counter[str] = Counter()
    for told in found.reasons:
        verdicts[told["verdict"]] += told["decisions"]
    won = {one.name for one in books.markets() if one.profit > 0}
    return Counts(
        decisions=verdicts.total(),
        approved=verdicts["approved"],
        reduced=verdicts["reduced"],
        denied=verdicts["denied"],
        unjudged=verdicts[""],
        settled=books.settled,
        settled_held=len(books.settled_held),
        settled_won=len(books.settled_held & won),
        **found.counts,
    )
