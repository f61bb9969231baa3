"""For the whole suite: the attacks' tally is told at the end of every run that had some."""

from tests.escape.tally import pytest_terminal_summary as pytest_terminal_summary
