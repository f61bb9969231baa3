"""What stands beside the bar: time that has gone, and time that is left where there is an end."""

from __future__ import annotations

import io
import re

from pp_host.cli.screen import Screen
from rich.console import Console


def bar(total):
    """What stands there after 3 cycles."""
    with Screen(quiet=False) as screen:
        screen.advance(3, total)
        console = Console(width=160, file=io.StringIO(), force_terminal=False)
        console.print(screen._progress.get_renderable())
    return " ".join(console.file.getvalue().split())


def test_a_run_without_an_end_says_what_has_elapsed_and_nothing_is_left():
    assert re.search(r" 3/\? \d:\d\d:\d\d elapsed$", bar(None))


def test_a_run_with_an_end_says_what_is_left():
    assert re.search(r" 3/100 \d:\d\d:\d\d elapsed [\d-]:[\d-]{2}:[\d-]{2} left$", bar(100))
