"""`pp logs`: a plugin's lines and how it fared, bounded, escaped, and followed while they are written."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time

import pytest

from tests.cli.recorded import AGENT, PP, RUN, written

NAME = "org.example.x"


def wrote(message, level="info"):
    return ("plugin.log", {"level": level, "message": message}, None)


STORY = (
    ("plugin.start", {"id": NAME, "version": "1", "pid": 7}, None),
    wrote("hello"),
    wrote("oh", level="warning"),
    ("plugin.failed", {"hook": "decide", "why": "too late"}, None),
    ("capability.deny", {"method": "clock.now", "code": "not_granted"}, None),
    ("plugin.exit", {"outcome": "violation", "detail": "spoke out of turn", "pid": 7}, None),
    ("plugin.quarantine", {"outcome": "violation", "detail": "spoke out of turn"}, None),
)
TOLD = [
    ("plugin.start", "", "version 1, pid 7"),
    ("plugin.log", "info", "hello"),
    ("plugin.log", "warning", "oh"),
    ("plugin.failed", "", "decide: too late"),
    ("capability.deny", "", "clock.now: not_granted"),
    ("plugin.exit", "", "violation: spoke out of turn"),
    ("plugin.quarantine", "", "violation: spoke out of turn"),
]


def test_what_it_wrote_and_how_it_fared(home, said, told):
    numbers = written(home, *STORY)
    written(home, wrote("of another"), plugin="org.example.y")
    document = said(home.root, "logs", NAME)
    assert document["plugin"] == NAME
    assert [(line["event"], line["level"], line["text"]) for line in document["lines"]] == TOLD
    assert [line["seq"] for line in document["lines"]] == numbers
    assert {line["run"] for line in document["lines"]} == {RUN}
    status, out, err = told(home.root, "logs", NAME)
    assert (status, err) == (0, "")
    assert [line.split(maxsplit=3)[2] for line in out.splitlines()] == [
        "start",
        "info",
        "warning",
        "failed",
        "capability.deny",
        "exit",
        "quarantine",
    ]


def test_the_count_bounds_the_newest(home, said):
    written(home, *STORY)
    assert [line["text"] for line in said(home.root, "logs", NAME, "-n", 2)["lines"]] == [
        told[2] for told in TOLD[-2:]
    ]


def test_a_real_plugin_started_and_stopped(demo, said):
    home, result = demo
    lines = said(home, "logs", AGENT)["lines"]
    assert [line["event"] for line in lines] == ["plugin.start", "plugin.exit"]
    assert {line["run"] for line in lines} == {result["run"]}


def test_an_installed_plugin_that_never_ran_has_no_lines(home, said, told):
    assert said(home.root, "logs", AGENT) == {"plugin": AGENT, "lines": []}
    assert told(home.root, "logs", AGENT) == (0, "", "")


@pytest.mark.parametrize("named", ["agent-value", AGENT + "x", "dev.probablyprofit.agent-valeu"])
def test_an_unknown_id_names_the_nearest(demo, told, named):
    home, _ = demo
    status, out, err = told(home, "logs", named)
    assert (status, out) == (1, "")
    assert err == f"pp: error: the record knows no plugin '{named}'\npp: hint: did you mean {AGENT}?\n"


def test_an_unknown_id_like_no_other_names_those_that_are_known(demo, told):
    home, _ = demo
    status, _, err = told(home, "logs", "zzz")
    assert status == 1
    assert err.splitlines()[1].startswith("pp: hint: known: dev.probablyprofit.agent-arbitrage, ")


def test_lines_cannot_draw_on_the_terminal_nor_fill_it(home, told, said):
    wild = "\x1b[2J\r\nfake line\u202e[red]" + "w" * 3000
    written(home, wrote(wild, level="\x1b[5m" * 50))
    status, out, _ = told(home.root, "logs", NAME)
    assert status == 0
    assert len(out.splitlines()) == 1
    assert not set("\x1b\r\u202e") & set(out)
    assert "\\x1b[2J\\r\\nfake line\\u202e[red]www" in out
    assert len(out) < 1200
    assert said(home.root, "logs", NAME)["lines"][0]["text"] == wild


def test_following_and_one_document_do_not_go_together(demo, told):
    home, _ = demo
    status, out, err = told(home, "logs", AGENT, "--follow", "--json")
    assert (status, out) == (1, "")
    assert err.startswith("pp: error: pp logs: --follow and --json do not go together\npp: hint: ")


def read_until(process, wanted, seconds=30):
    """What the process prints until `wanted` stands in it."""
    found, deadline = "", time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while wanted not in found:
            assert time.monotonic() < deadline, found
            if selector.select(0.2):
                chunk = os.read(process.stdout.fileno(), 65_536)
                assert chunk, found
                found += chunk.decode()
    return found


def test_following_shows_what_is_committed_and_ends_with_ctrl_c(home):
    written(home, wrote("before"))
    command = [PP, "logs", NAME, "--follow", "--home", home.root]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert "before" in read_until(process, "before")
            for word in ("first", "second"):
                written(home, wrote(f"of another {word}"), plugin="org.example.y")
                written(home, wrote(word))
                seen = read_until(process, word)
                assert "of another" not in seen
                assert seen.count(word) == 1
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
            assert process.stderr.read() == b""
        finally:
            process.kill()
