"""A plugin whose one hook is a script: it travels in one archive with `body.py` and runs it as a program."""

from __future__ import annotations

import runpy

from pp_sdk import MarketTable, SnapshotRequest, build, hookimpl


class Body:
    """A source without markets."""

    @hookimpl
    def snapshot(self, request: SnapshotRequest) -> MarketTable:
        runpy.run_module("body", run_name="__main__", alter_sys=True)
        return build([])


plugin = Body()
