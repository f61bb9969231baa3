"""What plugin code may ask of its host, and what happens when there is none."""

from __future__ import annotations

import pytest
from pp_sdk import clock, log
from pp_sdk.host import NoHost, attached, link, presentable
from pp_sdk.wire.messages import ClockNow, LogWrite, Now


class FakeLink:
    def __init__(self, now=7):
        self.told = []
        self.now = now

    def call(self, method, body):
        assert (method, body) == ("clock.now", ClockNow())
        return Now(now=self.now)

    def event(self, method, body):
        self.told.append((method, body))


def test_without_a_host_asking_is_an_error():
    with pytest.raises(NoHost, match=r"run the plugin under `pp`, or under pp_sdk\.testing\.FakeHost"):
        clock.now()
    with pytest.raises(NoHost):
        log.info("x")


def test_the_clock_is_the_hosts():
    with attached(FakeLink(now=9)):
        assert clock.now() == 9


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_line_is_told_with_its_level(level):
    host = FakeLink()
    with attached(host):
        getattr(log, level)("hello")
    assert host.told == [("log.write", LogWrite(level=level, message="hello"))]


def test_hosts_nest_and_leave():
    outer, inner = FakeLink(), FakeLink()
    with attached(outer):
        with attached(inner):
            assert link() is inner
        assert link() is outer
    with pytest.raises(NoHost):
        link()


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("x" * 4000, "x" * 4000),
        ("x" * 4001, "x" * 3999 + "\u2026"),
        (5, "5"),
        ("\ud800", "?"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_messages_are_made_fit_to_travel(message, sent):
    assert presentable(message) == sent
