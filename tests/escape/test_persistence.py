"""To be there again: where others start things, and in what the next process finds."""

import os

import pytest

from tests.escape.case import gets, soft
from tests.escape.prison import imprisoned

PLACES = {
    "a login's key": ".ssh/authorized_keys",
    "a desktop's start": ".config/autostart/x.desktop",
    "a service": ".config/systemd/user/x.service",
    "Python's start": ".local/lib/python3/site-packages/x.pth",
    "Python's customs": ".local/lib/python3/site-packages/usercustomize.py",
}

CASES = [
    soft("a shell's start", ("leave", "{inner}/.bashrc"), "EPERM", "EACCES", "EPERM", changes="folder"),
    *(
        soft(name, ("leave", f"{{inner}}/{place}"), "EPERM", changes="folder")
        for name, place in PLACES.items()
    ),
]


def test_attack(attempt):
    attempt()


def test_what_is_left_in_tmp_is_gone_with_the_process():
    with imprisoned(tmp_mb=1) as prisoner:
        assert prisoner.tries("files", "create", "/tmp/left") == gets(1)
    with imprisoned(tmp_mb=1) as prisoner:
        assert prisoner.tries("files", "listing", "/tmp") == gets([])


@pytest.mark.parametrize("number", [15, 2, 1])
def test_no_signal_handler_outlives_sigkill(number):
    with imprisoned() as prisoner:
        assert prisoner.tries("persistence", "deaf_to", number) == gets(None)
        os.kill(prisoner.jailed.pid, number)
        assert prisoner.tries("leaks", "own_pid") == gets(1)
        os.kill(prisoner.jailed.pid, 9)
        assert prisoner.ends() == {"signal": "SIGKILL"}


def test_a_daemon_thread_does_not_abort_the_end():
    with imprisoned() as prisoner:
        assert prisoner.tries("persistence", "daemon_thread") == gets(None)
        assert prisoner.ends() == {"status": 0}
        assert prisoner.last_words == ""
