"""Fakes that several files of this folder share."""

from __future__ import annotations

import pytest


class FakeTimers:
    """Seconds pass when `advance` says so."""

    def __init__(self):
        self.now = 100.0
        self.armed = []

    def time(self):
        return self.now

    def call_later(self, delay, callback):
        handle = FakeHandle(self.now + delay, callback)
        self.armed.append(handle)
        return handle

    def advance(self, seconds):
        end = self.now + seconds
        while due := [one for one in self.armed if not one.cancelled and one.when <= end]:
            first = min(due, key=lambda one: one.when)
            self.armed.remove(first)
            self.now = max(self.now, first.when)
            first.callback()
        self.now = end


class FakeHandle:
    def __init__(self, when, callback):
        self.when, self.callback, self.cancelled = when, callback, False

    def cancel(self):
        self.cancelled = True


@pytest.fixture
def timers():
    return FakeTimers()
