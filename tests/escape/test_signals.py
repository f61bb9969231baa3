"""Signals to processes that are not one's own."""

import signal

from tests.escape.case import gets, soft

KILL = signal.SIGKILL

CASES = [
    soft("ask whether it lives", ("kill", "{victim}", 0), "EPERM"),
    soft("kill", ("kill", "{victim}", KILL), "EPERM", changes="victim"),
    soft("stop", ("kill", "{victim}", signal.SIGSTOP), "EPERM", changes="victim"),
    soft("ask about the first process", ("kill", 1, 0), "EPERM", fresh=True),
    soft(
        "kill everyone",
        ("kill_everyone", 0),
        "EPERM",
        fresh=True,
        arguments=(),
        made_by="bystander",
        answer=gets(-9),
    ),
    soft("kill the own group", ("kill_own_group",), "EPERM"),
    soft("kill a thread", ("kill_thread", "{victim}", KILL), "EPERM", changes="victim"),
    soft("kill any thread", ("kill_any_thread", "{victim}", KILL), "EPERM", changes="victim"),
    soft("queue a signal", ("queue", "{victim}", KILL), "EPERM", changes="victim"),
    soft("queue for a thread", ("queue_for_thread", "{victim}", KILL), "EPERM", changes="victim"),
    soft("by descriptor", ("by_descriptor", 0), "EPERM", arguments=(), made_by="own_pidfd"),
    soft("let the kernel send it", ("input_for", "{victim}"), "EPERM", changes="victim"),
    soft("an alarm", ("alarm",), "EPERM"),
    soft("a timer", ("timer",), "EPERM"),
    soft("signals by descriptor", ("signal_descriptor",), "EPERM"),
]


def test_attack(attempt):
    attempt()
