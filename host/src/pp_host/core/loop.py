"""One turn of the host: observe, settle, select, decide, judge, advise, place. This file is the story; read it first.

Laws: every arrow leaves an entry that names the entry which caused it, so that a fill can be followed back to
the snapshot it came from; a verdict names that snapshot, and one that a risk plugin brought about has its
advice as cause. Nothing reads the record back. An entry that cannot be written ends everything
(RecordError). Plugins are waited for inside the ports; the core itself never sleeps.
"""

from __future__ import annotations

from collections.abc import Mapping

from pp_sdk.types import Decision, SnapshotRequest

from pp_host.core import telling
from pp_host.core.book import Book
from pp_host.core.entries import Advised, Decided, Judged, Lowered
from pp_host.core.execution import place, reconcile
from pp_host.core.observe import Moment, observe, revalued
from pp_host.core.policy import Budget, Policy
from pp_host.core.risk import judge, tighten
from pp_host.core.select import select
from pp_host.core.settle import settle
from pp_host.model import Approved, Denied, Observed, Reduced, TradingState, Verdict, Wish
from pp_host.ports import Answer, Ports


async def cycle(
    ports: Ports, book: Book, policy: Policy, budgets: Mapping[str, Budget], *, dry_run: bool = False
) -> Observed:
    """One turn. `budgets` by plugin id: who is not in it may not trade. A dry run judges and places
    nothing."""
    moment = await _begin(ports, book)
    moment = moment._replace(observed=await select(moment.observed, ports, book))
    telling.asking(ports)
    answers = await ports.agents.decide(moment.observed)
    telling.answered(answers, ports)
    for answer in answers:
        budget = budgets.get(answer.plugin.id)
        for decision in answer.decisions:
            await ports.outputs.room()
            wish = _wish(answer, decision, moment, ports, book)
            state, now = _state(ports, book), ports.clock.now()
            verdict = judge(wish, moment.observed, book.ledger, policy, budget, state, run=book.run, now=now)
            cause = _write_verdict(verdict, wish, moment, ports, cause=wish.seq)
            if not isinstance(verdict, Denied) and verdict.order.side == "buy":
                verdict, cause = await _advised(verdict, wish, moment, ports, book, cause=cause)
            book.tally.judged(verdict)
            if not isinstance(verdict, Denied) and not dry_run:
                fills = await place(verdict.order, ports, book.ledger, cause=cause)
                book.tally.placed(fills)
                if fills:
                    moment = moment._replace(observed=revalued(moment.observed, book))
    return moment.observed


async def settle_only(ports: Ports, book: Book) -> Observed:
    """A turn without agents, as at the end of a tape: see the markets, mark what is held, settle what has
    ended."""
    return (await _begin(ports, book)).observed


async def _begin(ports: Ports, book: Book) -> Moment:
    """What every turn begins with: what is in doubt, what is seen, what has ended."""
    await recover(ports, book)
    telling.observing(ports)
    held = tuple(sorted(book.ledger.markets()))
    sightings = await ports.sources.snapshot(SnapshotRequest(now=ports.clock.now(), held=held))
    moment = observe(sightings, book, ports.record, ports.clock.now())
    ports.venue.show(moment.observed.markets, moment.observed.now)
    telling.observed(moment.observed, sightings, book, ports)
    observed, settlements = settle(moment.observed, book, ports.record)
    await telling.settled(settlements, moment.observed, ports)
    await ports.outputs.room()
    return moment._replace(observed=observed)


async def recover(ports: Ports, book: Book) -> None:
    """Ask what became of orders without an end; one that stays in doubt halts trading until an operator
    looks."""
    if not book.ledger.open:
        return
    doubtful = await reconcile(ports, book.ledger)
    if doubtful and book.state is not TradingState.HALTED:
        book.state = TradingState.HALTED
        reason = f"orders in doubt: {', '.join(doubtful)}"[:1000]
        lowered = Lowered(account=book.ledger.account, state=book.state, reason=reason)
        await ports.record.durable(ports.record.append("state.kill", lowered))
        telling.halted(reason, ports)


async def _advised(
    verdict: Approved | Reduced, wish: Wish, moment: Moment, ports: Ports, book: Book, *, cause: int
) -> tuple[Verdict, int]:
    """What the risk plugins leave of a purchase, and the entry that says so. Sales do not wait for them."""
    order, observed = verdict.order, moment.observed
    opinions = await ports.advisers.advise(*telling.proposal(order, observed, book.ledger), cause=cause)
    row = observed.markets.get(order.market)
    left: Verdict = verdict
    for opinion in opinions:
        advised = Advised.of(opinion.advice, order.id)
        advice = ports.record.append("advice", advised, cause=opinion.call, plugin=opinion.plugin)
        if isinstance(left, Denied):
            continue
        tightened = tighten(left, opinion, row.min_size if row else 0)
        if tightened is not left:
            left, cause = tightened, advice
    if left is verdict:
        return verdict, cause
    return left, _write_verdict(left, wish, moment, ports, cause=cause)


def _wish(answer: Answer, decision: Decision, moment: Moment, ports: Ports, book: Book) -> Wish:
    decided = Decided.of(decision, answer.plugin.id)
    seq = ports.record.append("decision", decided, cause=answer.call, plugin=answer.plugin)
    book.tally.decided(decided)
    telling.decision(decided, moment.observed, ports)
    return Wish(plugin=answer.plugin, decision=decision, seq=seq)


def _write_verdict(verdict: Verdict, wish: Wish, moment: Moment, ports: Ports, *, cause: int) -> int:
    judged = Judged.of(verdict, wish, moment.snapshot_of(wish.decision.market))
    word = "deny" if isinstance(verdict, Denied) else "allow"
    seq = ports.record.append("verdict", judged, cause=cause, verdict=word, rule=judged.reason)
    telling.verdict(judged, moment.observed, ports)
    return seq


def _state(ports: Ports, book: Book) -> TradingState:
    """A raised kill switch halts at once, whoever raised it."""
    return book.state if ports.kill.latched() is None else TradingState.HALTED
