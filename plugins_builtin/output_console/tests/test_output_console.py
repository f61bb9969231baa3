"""The console: one line for each thing that happened."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from pp_sdk import Fill, MarketUpdate, Missed, RiskBreach, RiskCheck, RunEnd, RunStart, Settlement, TradeError
from pp_sdk.testing import FakeHost, check_output, event, events

FOLDER = Path(__file__).parents[1]
AT = 1_767_225_660_000_000


def lines(capsys, *told):
    with FakeHost(FOLDER) as host:
        host.notify(*told)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (event(Fill), "fill            buy 25 yes of m1 at 0.5, fee 0.4375"),
        (event(Fill, "ratio"), "fill            buy 2.50% yes of m1 at 0.5, fee 0.04%"),
        (event(Fill, "none"), "fill            buy yes of m1 at 0.5"),
        (event(Settlement), "settlement      m1 paid 1 per yes share; received 25, profit 12.5"),
        (event(Settlement, "none"), "settlement      m1 paid 1 per yes share"),
        (event(MarketUpdate, yes_bid=None), "market.update   m1: yes -/0.5, no 0.5/0.52"),
        (event(RiskCheck, verdict="approved", reason="", text=""), "risk.check      approved: buy 25 yes of m1"),
        (event(RiskBreach, plugin="", reason="halted", verdict="denied", text="pp kill"),
         "risk.breach     halted: denied everything: pp kill"),
        (event(TradeError, text="no answer"), "trade.error     rejected: buy yes of m1: no answer"),
        (event(RunStart, tape="ab"), "run.start       20270115T080000Z-0a1b2c: paper on a tape with org.example.agent, org.example.output"),
        (event(Missed), "missed          312 events before this were not told"),
    ],
)  # fmt: skip
def test_an_event_in_words(capsys, told, line):
    assert lines(capsys, told)[0].removeprefix("2027-01-15 08:00 ") == line


def test_every_kind_is_one_line_that_begins_with_the_time(capsys):
    for detail in ("none", "ratio", "exact"):
        shown = lines(capsys, *events(detail))
        assert [line.split()[2] for line in shown] == [one.kind for one in events()]
        assert {line[:16] for line in shown} == {"2027-01-15 08:00"}
        assert "None" not in "".join(shown)
    assert lines(capsys, event(Fill, at=AT))[0].startswith("2026-01-01 00:01 fill ")


def test_it_bears_whatever_it_may_be_told(capsys):
    check_output(FOLDER)
    capsys.readouterr()


def test_it_prints_less_than_the_host_would_end_it_for(capsys):
    module = import_file(FOLDER / "output_console.py")
    now = [0.0]
    with FakeHost(module.Console(lambda: now[0])) as host:
        host.notify(*[event(Fill)] * 2000)
        shown = capsys.readouterr().out
        assert 90 * 1024 < len(shown) <= module.MOST
        now[0] += module.SPELL
        host.notify(event(Fill), event(Fill))
        notice, first, second = capsys.readouterr().out.splitlines()
        assert (
            notice
            == f"... {2000 - len(shown.splitlines())} lines were not shown: more than 100 KiB in a minute"
        )
        assert first == second == shown.splitlines()[0]


def test_the_end_of_the_run_is_always_shown(capsys):
    module = import_file(FOLDER / "output_console.py")
    with FakeHost(module.Console(lambda: 0.0)) as host:
        host.notify(*[event(Fill)] * 3000, event(RunEnd))
    *_, notice, last = capsys.readouterr().out.splitlines()
    assert notice.startswith("... ")
    assert " run.end " in last


def import_file(path):
    spec = spec_from_file_location("output_console_alone", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
