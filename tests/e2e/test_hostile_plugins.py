"""Strangers' plugins that attack, all at once in one session: each gets nothing, the fatal ones are ended and named,
and the session goes on without them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOURCE = "dev.probablyprofit.source-sample"
CYCLES = 4

# Each is the body of `decide`. What an attack learns it reports as the rationale of a wish on a market that is not.
SOFT = {
    "reads-file": ("return report(lambda: open('/etc/passwd').read())", "errno 2"),
    "lists-home": ("return report(lambda: os.listdir('/home'))", "errno 2"),
    "reads-environment": ("return say(repr([sorted(os.environ), libc_environment()]))", "[[], []]"),
    "opens-socket": ("return report(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))", "errno 13"),
    "forks": ("return report(os.fork)", "errno 11"),
    "signals-host": ("return report(lambda: os.kill(os.getppid() or -1, 9))", "errno 1"),
    "writes-file": ("return report(lambda: open('/python/lib/os.py', 'w'))", "errno 30"),
}
JUDGED = {
    "says-nan": ("return [wish(probability=float('nan'))]", "not_a_number"),
    "says-infinity": ("return [wish(probability=float('inf'))]", "not_a_number"),
    "says-negative": ("return [wish(probability=-0.4)]", "out_of_range"),
    "names-no-market": (
        "return [Decision(market='', outcome='yes', side='buy', probability=0.9)]",
        "unknown_market",
    ),
    "names-no-outcome": ("return [wish(outcome='maybe', probability=0.9)]", "unknown_outcome"),
    "sells-air": ("return [wish(side='sell', probability=0.1)]", "nothing_held"),
}
FATAL = {
    "execs": ("os.execve('/bin/sh', ['sh'], {})", "violation", "no plugin may make: execve"),
    "traces": ("ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "violation", "no plugin may make: ptrace"),
    "sends-garbage": ("os.write(3, b'\\xff' * 64); return []", "violation", "frame"),
    "claims-much": (
        "os.write(3, b'\\xff\\xff\\xff\\x7f'); return []",
        "violation",
        "a frame of 2147483647 bytes",
    ),
    "sends-a-bomb": (
        "os.write(3, BOMB); return []",
        "violation",
        "body is not what the protocol says: Expected `object`, got `array`",
    ),
    "hangs-up": ("os.close(3); time.sleep(3600)", "violation", "closed its connection and lived on"),
    "exits-well": ("os._exit(0)", "error", "status 0"),
    "forges-reply": ("os.write(3, FORGED); return []", "violation", "not open"),
    "floods-messages": ("while True: log.info('x')", "violation", "more than 4000 lines of log"),
    "floods-output": ("while True: os.write(1, b'x' * 65536)", "limit", "output a minute"),
    "hangs": ("time.sleep(3600)", "timeout", "no answer within 2 s"),
    "spins": ("while True: pass", "limit", "cpu"),
    "exits": ("os._exit(3)", "error", "status 3"),
    "segfaults": ("ctypes.string_at(0)", "signaled", "SIGSEGV"),
}
RAISES = "raise RuntimeError('own fault')"
ALLOCATES = "hoard = []\n        while True: hoard.append(bytearray(1 << 20))"
HONEST = "return [wish(probability=0.97, limit_price=990_000)]"

CODE = """
from __future__ import annotations
import ctypes, os, socket, struct, time
from pp_sdk import Decision, hookimpl, log

FORGED = b"\\x0d\\x00\\x00\\x00\\x94\\x01\\xcd\\x03\\xe7\\xa6decide\\x80"  # a reply to request 999, never asked
BOMB = b"\\x10\\x40\\x00\\x00\\x94\\x03\\x00\\xa9log.write\\xdc\\x40\\x00" + b"\\x80" * 0x4000  # 16,384 empty maps
MARKET = ["", ""]

def say(text):
    return [Decision(market="report", outcome="yes", side="buy", probability=0.5, rationale=text)]

def report(attempt):
    try:
        return say("succeeded: " + repr(attempt())[:200])
    except OSError as error:
        return say("errno %d" % error.errno)

def libc_environment():
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return [name for name in (b"PATH", b"HOME", b"PP_HOME", b"USER") if getenv(name)]

def wish(**fields):
    return Decision(**{"market": MARKET[0], "outcome": MARKET[1], "side": "buy", **fields})

class Agent:
    @hookimpl
    def decide(self, observation):
        market = next(m for m in observation.markets if m.status == 0 and m.yes_ask and m.no_ask)
        MARKET[:] = market.id, "yes" if market.yes_ask <= market.no_ask else "no"  # the cheaper can always be bought
        BODY

plugin = Agent()
"""

MANIFEST = """schema: probablyprofit/plugin/v1
id: test.stranger.NAME
version: 1.0.0
kind: agent
title: A stranger
summary: Looks harmless.
license: MIT
authors: [{name: Nobody}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: stranger, object: plugin, runtime: python}
hooks: [decide]
capabilities:
  - {use: market.read, reason: "to look harmless"}
  - {use: decision.propose, markets: any, max_order_usd: 50, max_day_usd: 500, reason: "to look useful"}
limits: {memory_mb: 192, cpu_seconds_per_call: 1, wall_seconds_per_call: PATIENCE, tmp_mb: 0}
"""

BODIES = {
    **{name: body for name, (body, _) in (SOFT | JUDGED).items()},
    **{name: body for name, (body, _, _) in FATAL.items()},
    "allocates": ALLOCATES,
    "raises": RAISES,
    "honest": HONEST,
}


@pytest.fixture(scope="module")
def session(new_home: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One session with every stranger in it: (home, result of `pp run`)."""
    home = new_home()
    scratch = tmp_path_factory.mktemp("strangers")
    lines = ["[host]", "cycle_seconds = 0.2", f'[plugins."{SOURCE}"]', "config = {markets = 8, seed = 7}"]
    for name, body in BODIES.items():
        folder = scratch / name
        folder.mkdir()
        patience = (
            "20" if name == "spins" else "2"
        )  # so that its processor time is over first, on a busy machine too
        (folder / "plugin.yaml").write_text(MANIFEST.replace("NAME", name).replace("PATIENCE", patience))
        (folder / "stranger.py").write_text(CODE.replace("BODY", body))
        home.install(folder)
        lines += [f'[plugins."test.stranger.{name}"]']
        lines += ["budget = {order_usd = 5, day_usd = 50, exposure_usd = 50, orders_per_minute = 60}"]
    home.configure("\n".join(lines) + "\n")
    return home, home.pp("run", "--cycles", CYCLES, "--json")


def of(entries: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["actor"].get("id") == f"test.stranger.{name}"]


def test_the_session_goes_on_to_its_end(session: Any) -> None:
    _, result = session
    assert result.status == 0, result.stderr
    assert result.json["cycles"] == CYCLES
    assert result.json["record"]["verified"] is True


def test_the_honest_neighbour_is_called_in_every_cycle_and_trades(session: Any) -> None:
    home, _ = session
    assert len(of(home.entries("plugin.call"), "honest")) == CYCLES
    assert [f for f in home.entries("order.fill") if f["subject"]["plugin"] == "test.stranger.honest"]


@pytest.mark.parametrize("name", SOFT)
def test_an_attack_inside_is_refused_with_its_exact_errno(session: Any, name: str) -> None:
    home, _ = session
    reports = {entry["subject"]["rationale"] for entry in of(home.entries("decision"), name)}
    assert reports == {SOFT[name][1]}


@pytest.mark.parametrize("name", JUDGED)
def test_a_worthless_wish_is_denied_for_its_own_reason(session: Any, name: str) -> None:
    home, _ = session
    verdicts = [
        v["subject"] for v in home.entries("verdict") if v["subject"]["plugin"] == f"test.stranger.{name}"
    ]
    assert {(v["verdict"], v["reason"]) for v in verdicts} == {("denied", JUDGED[name][1])}
    assert len(verdicts) == CYCLES


@pytest.mark.parametrize("name", FATAL)
def test_a_fatal_attack_ends_the_plugin_and_is_named_in_the_record(session: Any, name: str) -> None:
    home, _ = session
    _, outcome, words = FATAL[name]
    ending = of(home.entries("plugin.exit"), name)[0]["subject"]
    assert ending["outcome"] == outcome
    assert words in ending["detail"]


@pytest.mark.parametrize("name", [name for name, (_, outcome, _) in FATAL.items() if outcome == "violation"])
def test_who_breaks_the_protocol_is_not_started_again(session: Any, name: str) -> None:
    home, _ = session
    assert len(of(home.entries("plugin.start"), name)) == 1
    assert len(of(home.entries("plugin.quarantine"), name)) == 1


def test_who_merely_died_is_started_again_and_given_up_when_it_goes_on(session: Any) -> None:
    home, _ = session
    starts = len(of(home.entries("plugin.start"), "exits"))
    falls = [
        entry for entry in of(home.entries("plugin.exit"), "exits") if entry["subject"]["outcome"] == "error"
    ]
    assert 2 <= starts <= 4
    assert starts - 1 <= len(falls) <= starts, "the last may have been alive when the run ended"
    assert len(of(home.entries("plugin.quarantine"), "exits")) == (len(falls) == 4)


def test_an_error_of_its_own_is_recorded_with_the_call_that_met_it(session: Any) -> None:
    home, result = session
    calls = {entry["seq"] for entry in of(home.entries("plugin.call"), "raises")}
    failures = of(home.entries("plugin.failed"), "raises")
    assert len(failures) == len(calls) == CYCLES
    assert {entry["cause"] for entry in failures} == calls
    assert all("own fault" in entry["subject"]["why"] for entry in failures)
    told = next(plugin for plugin in result.json["plugins"] if plugin["id"] == "test.stranger.raises")
    assert (told["calls"], told["failures"], told["ended"]) == (CYCLES, CYCLES, "")


def test_memory_without_end_is_refused_or_ended(session: Any) -> None:
    home, _ = session
    endings = [entry["subject"]["outcome"] for entry in of(home.entries("plugin.exit"), "allocates")]
    assert not of(home.entries("decision"), "allocates")
    assert set(endings) <= {"ok", "limit", "error"}, "it got a MemoryError, or was ended by its limit"


def test_no_stranger_but_the_honest_one_ever_traded(session: Any) -> None:
    home, _ = session
    assert {fill["subject"]["plugin"] for fill in home.entries("order.fill")} == {"test.stranger.honest"}


def test_no_process_of_the_session_is_left(session: Any) -> None:
    home, _ = session
    pids = {entry["subject"]["pid"] for entry in home.entries("plugin.start")}
    assert pids
    assert not {pid for pid in pids if Path(f"/proc/{pid}").exists()}


CONTROLS = {
    "reads-file": "open('/etc/passwd').read()",
    "lists-home": "import os; os.listdir('/home')",
    "opens-socket": "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "forks": "import os; os._exit(0) if os.fork() == 0 else os.wait()",
    "signals-host": "import os; os.kill(os.getppid(), 0)",
    "execs": "import os; os.execve('/bin/sh', ['sh', '-c', 'exit 0'], {})",
    "traces": "import ctypes; assert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0",
}


@pytest.mark.parametrize("name", CONTROLS)
def test_the_same_attack_succeeds_outside(name: str) -> None:
    subprocess.run([sys.executable, "-c", CONTROLS[name]], check=True, capture_output=True)
