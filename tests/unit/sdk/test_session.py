"""A plugin object behind its session: which hooks are called, and what becomes of slips and crashes."""

from __future__ import annotations

import io
import os
import random
import sys
import zipfile

import pytest
from pp_sdk import Account, Brief, Decision, Keep, MarketRow, Observation, Shrink, Veto, build, hookimpl
from pp_sdk.archive_import import ArchiveFinder
from pp_sdk.memfd import seal
from pp_sdk.session import HOOKS, Session, marked_hooks
from pp_sdk.testing import events
from pp_sdk.types import Choice, Proposal, RiskView, SnapshotRequest
from pp_sdk.wire.blocking import Cancelled, Request
from pp_sdk.wire.messages import (
    FAILED_CHARACTERS,
    Advise,
    Configure,
    Decide,
    Decided,
    Done,
    Failure,
    Load,
    Loaded,
    Notified,
    Notify,
    Select,
    Selected,
    Snapshot,
    Stop,
)

TABLE = build([MarketRow(id="m", yes_asks=((500_000, 1_000_000),))])
WISH = Decision(market="m", outcome="yes", side="buy", probability=0.6)
PROPOSAL = Proposal(plugin="p", market="m", outcome="yes", side="buy", shares=5, limit_price=7)
EVENTS = events()
NOTIFY = Notify(events=EVENTS, patience=10_000_000)
TOLD = Notified(handled=len(EVENTS), failed=[])


def session(plugin, declared=HOOKS):
    session = Session()
    session.adopt(plugin, declared)
    return session


def deciding(function):
    """A session whose plugin decides by `function`."""

    class Plugin:
        @hookimpl
        def decide(self, observation):
            return function(observation)

    return session(Plugin())


def decide(session, account=None):
    fd = seal(TABLE.block)
    answer = session.answer(
        Request(1, "decide", Decide(now=9, table_bytes=len(TABLE.block), account=account), fd)
    )
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    return answer


def choosing(function, score=None):
    """A session whose plugin selects by `function`, and scores where `score` is given."""

    class Plugin:
        @hookimpl
        def select(self, observation):
            return function(observation)

    class Scoring(Plugin):
        @hookimpl
        def score(self, market):
            return score(market)

    return session(Scoring() if score else Plugin())


def select(session):
    return session.answer(
        Request(1, "select", Select(now=9, table_bytes=len(TABLE.block)), seal(TABLE.block))
    )


def ask(session, method, body):
    return session.answer(Request(1, method, body, None))


# --- which hooks


class Everything:
    @hookimpl
    def configure(self, config):
        self.config = config
        self.random = random.random()

    @hookimpl
    def snapshot(self, request):
        return TABLE

    @hookimpl
    def select(self, observation):
        return [row.id for row in observation.markets]

    @hookimpl
    def score(self, market):
        return 0.25

    @hookimpl
    def decide(self, observation):
        return [WISH]

    @hookimpl
    def advise(self, proposal, view):
        return Veto(reason=f"{proposal.shares} {view.now}")

    @hookimpl
    def notify(self, event):
        self.told = [*getattr(self, "told", []), event]

    @hookimpl
    def flush(self):
        self.flushed = len(self.told)

    def helper(self):
        raise AssertionError


class Unmarked:
    def decide(self, observation):
        raise AssertionError

    @hookimpl
    def decisions(self, observation):
        raise AssertionError


def test_only_marked_methods_with_a_hooks_name_are_hooks():
    assert set(marked_hooks(Everything())) == set(HOOKS)
    assert marked_hooks(Unmarked()) == {}
    assert marked_hooks(sys) == {}


def test_only_declared_hooks_are_called():
    narrowed = session(Everything(), ["notify"])
    assert list(narrowed.hooks) == ["notify"]
    assert ask(narrowed, "notify", NOTIFY) == TOLD
    answer = ask(narrowed, "snapshot", SnapshotRequest(now=1))
    assert answer == Failure(
        code="no_hook", message="this plugin has no hook 'snapshot', or did not declare it"
    )


def test_every_hook_gets_what_the_specification_says():
    plugin = Everything()
    everything = session(plugin)
    view = RiskView(now=4, equity=1, cash=1, exposure=0)
    assert ask(everything, "configure", Configure(config={"a": [1]}, seed=5, now=1)) == Done()
    assert plugin.config == {"a": [1]}
    assert ask(everything, "snapshot", SnapshotRequest(now=1)) == Snapshot(table=bytes(TABLE.block))
    assert ask(everything, "advise", Advise(proposal=PROPOSAL, view=view)) == Veto(reason="5 4")
    assert ask(everything, "notify", NOTIFY) == TOLD
    assert plugin.told == EVENTS
    assert plugin.flushed == len(EVENTS)
    assert select(everything) == Selected(markets=[Choice(market="m", score=250_000)])
    assert decide(everything) == Decided(decisions=[WISH])
    assert ask(everything, "stop", Stop()) == Done()


def told(hook, patience=10_000_000):
    """What is answered when `hook` is told EVENTS."""

    class Plugin:
        @hookimpl
        def notify(self, event):
            hook(event)

    return ask(session(Plugin()), "notify", Notify(events=EVENTS, patience=patience))


def test_an_event_that_the_hook_fails_on_is_lost_and_no_other(capfd):
    heard = []

    def hook(event):
        if event.kind in ("observe.start", "fill"):
            raise ValueError(f"no {event.kind} " + "x" * 1000)
        heard.append(event.kind)

    answer = told(hook)
    lost = [EVENTS[one.index].kind for one in answer.failed]
    assert (answer.handled, lost) == (len(EVENTS), ["observe.start", "fill"])
    assert heard == [event.kind for event in EVENTS if event.kind not in lost]
    assert answer.failed[0].message.startswith("ValueError: no observe.start xxx")
    assert {len(one.message) for one in answer.failed} == {FAILED_CHARACTERS}
    assert capfd.readouterr().err.count("Traceback") == 1, "one of a delivery is enough for a log"


def test_when_patience_is_over_no_further_event_is_begun():
    heard = []
    assert told(heard.append, patience=0) == Notified(handled=1, failed=[])
    assert heard == EVENTS[:1], "but the first one is always handled"
    assert told(heard.append) == TOLD


def test_a_cancelled_delivery_is_answered_as_such_and_an_exit_ends_the_process():
    def cancelled(event):
        raise Cancelled("the host cancelled")

    assert told(cancelled) == Failure(code="cancelled", message="the host cancelled")
    with pytest.raises(SystemExit):
        told(lambda event: sys.exit(3))


def test_an_agent_sees_time_markets_and_account():
    seen = []
    account = Account(precision="exact", equity=1, cash=1)
    decide(deciding(lambda observation: seen.append(observation) or []), account)
    (observation,) = seen
    assert isinstance(observation, Observation)
    assert (observation.now, observation.account, observation.markets.digest) == (9, account, TABLE.digest)


def test_the_seed_makes_random_numbers_repeat():
    drawn = []
    for seed in (1, 1, 2):
        plugin = Everything()
        ask(session(plugin), "configure", Configure(config={}, seed=seed, now=1))
        drawn.append(plugin.random)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_plugin_without_configure_is_still_seeded():
    ask(deciding(lambda _: []), "configure", Configure(config={}, seed=1, now=1))
    first = random.random()
    ask(deciding(lambda _: []), "configure", Configure(config={}, seed=1, now=1))
    assert random.random() == first


# --- what comes back


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (None, "must return a list of Decision"),
        ((WISH,), "must return a list of Decision"),
        ([WISH, None], "must return a list of Decision"),
        ([{"market": "m"}], "must return a list of Decision"),
        ([WISH] * 257, "decide: "),
        ([Decision(market="m", outcome="yes", side="hold", probability=0.5)], "side"),
        ([Decision(market="x" * 256, outcome="yes", side="buy", probability=0.5)], "market"),
        ([Decision(market="m", outcome="yes", side="buy", probability="high")], "probability"),
        ([Decision(market="m", outcome="yes", side="buy", probability=0.5, limit_price=0.5)], "limit_price"),
        ([Decision(market="m", outcome="yes", side="buy", probability=0.5, rationale="\ud800")], "decide: "),
        ([Decision(market="m", outcome="yes", side="buy", probability=0.5, max_spend=2**70)], "decide: "),
        ([Decision(market="m", outcome="yes", side="buy", probability=object())], "decide: "),
    ],
)
def test_a_wrong_answer_is_a_refusal_that_names_it(answer, complaint):
    failure = decide(deciding(lambda _: answer))
    assert failure.code == "bad_answer"
    assert complaint in failure.message


def test_an_integer_probability_becomes_a_float_before_it_travels():
    wish = Decision(market="m", outcome="yes", side="buy", probability=1)
    (sent,) = decide(deciding(lambda _: [wish])).decisions
    assert isinstance(sent.probability, float)


@pytest.mark.parametrize("advice", [Keep(), Shrink(shares=1, reason="r"), Veto(reason="r")])
def test_advice_passes(advice):
    assert advising(advice) == advice


@pytest.mark.parametrize(
    "advice", [None, True, "keep", Shrink(shares=-1, reason="r"), Veto(reason="x" * 2001)]
)
def test_other_advice_is_refused(advice):
    assert advising(advice).code == "bad_answer"


def advising(advice):
    class Plugin:
        @hookimpl
        def advise(self, proposal, view):
            return advice

    view = RiskView(now=4, equity=1, cash=1, exposure=0)
    return ask(session(Plugin()), "advise", Advise(proposal=PROPOSAL, view=view))


def test_a_snapshot_must_be_a_table():
    class Plugin:
        @hookimpl
        def snapshot(self, request):
            return [1]

    answer = ask(session(Plugin()), "snapshot", SnapshotRequest(now=1))
    assert answer == Failure(code="bad_answer", message="snapshot must return a MarketTable, not list")


def test_memory_that_is_not_sealed_is_not_read():
    fd = os.memfd_create("pp", os.MFD_ALLOW_SEALING)
    os.write(fd, TABLE.block)
    body = Decide(now=9, table_bytes=len(TABLE.block), account=None)
    assert deciding(lambda _: []).answer(Request(1, "decide", body, fd)).code == "not_sealed"


# --- crashes


def test_an_exception_is_answered_with_type_text_and_place(capfd):
    def boom(_):
        return 1 / 0

    answer = decide(deciding(boom))
    assert answer == Failure(code="plugin_error", message="ZeroDivisionError: division by zero")
    assert "return 1 / 0" in capfd.readouterr().err


def test_a_long_message_is_cut_and_broken_text_is_mended():
    def boom(_):
        raise ValueError("\ud800" + "x" * 10_000)

    message = decide(deciding(boom)).message
    assert message.startswith("ValueError: ?xxx")
    assert len(message) <= 4000


def test_a_cancel_that_reaches_the_plugin_is_answered_as_such():
    def cancelled(_):
        raise Cancelled("enough")

    assert decide(deciding(cancelled)) == Failure(code="cancelled", message="enough")


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_an_exit_is_an_exit(end):
    def leave(_):
        raise end

    with pytest.raises(end):
        decide(deciding(leave))


# --- loading


@pytest.fixture
def load():
    """Loads files as an archive; forgets their modules afterwards."""
    finders = len(sys.meta_path)

    def load(files, module="momentum", hooks=HOOKS, length=None):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        block = buffer.getvalue()
        body = Load(archive_bytes=length or len(block), module=module, object="plugin", hooks=list(hooks))
        return Session().answer(Request(1, "load", body, seal(block)))

    yield load
    for finder in sys.meta_path[finders:]:
        assert isinstance(finder, ArchiveFinder)
        for name in [name for name, one in sys.modules.items() if finder.made(one)]:
            del sys.modules[name]
    del sys.meta_path[finders:]


AGENT = """
from pp_sdk import hookimpl

class Agent:
    @hookimpl
    def decide(self, observation):
        return []

    @hookimpl
    def configure(self, config):
        pass

    def notify(self, event):
        pass

plugin = Agent()
"""


def test_loading_tells_the_hooks_the_object_really_has(load):
    assert load({"momentum.py": AGENT}) == Loaded(hooks=["configure", "decide"])


def test_loading_tells_only_declared_hooks(load):
    assert load({"momentum.py": AGENT}, hooks=["decide", "advise"]) == Loaded(hooks=["decide"])


def test_a_module_can_be_the_plugin(load):
    source = "import sys\nfrom pp_sdk import hookimpl\n\n@hookimpl\ndef notify(event):\n    pass\n\nplugin = sys.modules[__name__]\n"
    assert load({"momentum.py": source}) == Loaded(hooks=["notify"])


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        ({"other.py": ""}, "plugin_error", "ModuleNotFoundError: No module named 'momentum'"),
        ({"momentum.py": ""}, "plugin_error", "AttributeError: module 'momentum' has no attribute 'plugin'"),
        (
            {"momentum.py": "\n\n1 / 0"},
            "plugin_error",
            "ZeroDivisionError: division by zero (ppz:/momentum.py:3 in <module>)",
        ),
        (
            {"momentum.py": AGENT, "json.py": ""},
            "load_error",
            "json.py: a plugin may not bring its own 'json'; rename the file",
        ),
    ],
)
def test_a_plugin_that_cannot_be_loaded_says_why(load, files, code, message):
    assert load(files) == Failure(code=code, message=message)


def test_an_archive_of_another_length_is_not_read(load):
    assert load({"momentum.py": AGENT}, length=5).code == "not_sealed"


def test_what_is_no_archive_is_a_load_error():
    body = Load(archive_bytes=5, module="m", object="o", hooks=[])
    answer = Session().answer(Request(1, "load", body, seal(b"12345")))
    assert answer.code == "load_error"


# --- a strategy

BRIEF = Brief(name="value", text="Buy what is cheap.", digest="0" * 64)


def test_a_strategy_sees_time_markets_and_its_brief():
    seen = []
    chosen = choosing(lambda observation: seen.append(observation) or [])
    ask(chosen, "configure", Configure(config={}, seed=1, now=1, brief=BRIEF))
    assert select(chosen) == Selected(markets=[])
    (observation,) = seen
    assert (observation.now, observation.markets.digest, observation.brief) == (9, TABLE.digest, BRIEF)
    assert observation.account is observation.scores is None


def test_an_agent_sees_the_brief_and_the_scores_of_what_was_selected():
    seen = []
    agent = deciding(lambda observation: seen.append(observation) or [])
    ask(agent, "configure", Configure(config={}, seed=1, now=1, brief=BRIEF))
    for scores in ({"m": 125_000}, {}, None):
        body = Decide(now=9, table_bytes=len(TABLE.block), account=None, scores=scores)
        agent.answer(Request(1, "decide", body, seal(TABLE.block)))
    assert [one.scores for one in seen] == [{"m": 0.125}, {}, None]
    assert [one.brief for one in seen] == [BRIEF] * 3


def test_without_a_score_every_chosen_market_counts_whole():
    assert select(choosing(lambda _: ["m"])) == Selected(markets=[Choice(market="m", score=1_000_000)])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (("m",), "select must return a list of market ids"),
        ([TABLE[0]], "select must return a list of market ids"),
        (["m", "m"], "select: a market stands twice"),
        (["m", "n"], "select: 'n' is not among the markets that were shown"),
    ],
)
def test_a_selection_that_is_none_is_a_bad_answer(answer, message):
    assert select(choosing(lambda _: answer)) == Failure(code="bad_answer", message=message)


@pytest.mark.parametrize("score", [-0.001, 1.001, float("nan"), float("inf"), "1", None, True])
def test_a_score_that_is_none_is_a_bad_answer(score):
    failure = select(choosing(lambda _: ["m"], lambda _: score))
    wanted = f"score: expected a number from 0 to 1 for 'm', got {score!r}"
    assert failure == Failure(code="bad_answer", message=wanted)


@pytest.mark.parametrize(("score", "ppm"), [(0, 0), (1, 1_000_000), (0.5, 500_000), (0.000_000_6, 1)])
def test_a_score_travels_in_parts_per_million(score, ppm):
    assert select(choosing(lambda _: ["m"], lambda _: score)).markets == [Choice(market="m", score=ppm)]


class Flushing:
    """Keeps what it is told until flush."""

    def __init__(self, *errors):
        self.kept, self.written = [], []
        self.errors = list(errors)

    @hookimpl
    def notify(self, event):
        self.kept.append(event.kind)

    @hookimpl
    def flush(self):
        if self.errors:
            raise self.errors.pop()
        self.written.append(self.kept)
        self.kept = []


def test_flush_follows_what_was_told_together():
    plugin = Flushing()
    assert ask(session(plugin), "notify", NOTIFY) == TOLD
    assert plugin.written == [[event.kind for event in EVENTS]]


def test_an_error_in_flush_is_one_about_all_of_them():
    plugin = Flushing(OSError("no room"))
    flushing = session(plugin)
    answer = ask(flushing, "notify", NOTIFY)
    lost = [(one.index, one.message.split(" (")[0]) for one in answer.failed]
    assert lost == [(index, "OSError: no room") for index in range(len(EVENTS))]
    assert (answer.handled, ask(flushing, "notify", NOTIFY)) == (len(EVENTS), TOLD)


@pytest.mark.parametrize("errors", [[OSError("no room")], []], ids=["fails", "works"])
def test_an_error_in_flush_takes_none_of_those_that_were_not_begun(errors):
    answer = ask(session(Flushing(*errors)), "notify", Notify(events=EVENTS, patience=0))
    assert (answer.handled, [one.index for one in answer.failed]) == (1, [0] if errors else [])
