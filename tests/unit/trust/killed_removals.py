"""Run by test_store.py in a process of its own: kill a removal at each of its changes of the disk, then look.

Arguments: a home's folder (store, grants, and `data` for what the plugin keeps), "keep", "erase" or "leftovers" (erase
what an earlier removal kept), how many steps to try. Prints one JSON line a step: whether the removal ended by itself, what is there once the store was opened again,
and whether anything is left over.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from pp_host.trust.store import ERASED, KEPT, Store, announcement

from tests.unit.trust.killing import killed_at

ID = "org.example.momentum"


def remove(home: Path, keep: bool) -> None:
    store = opened(home)
    digest = "".join(grant.digest for grant in store.installed())
    word = announcement(KEPT if keep else ERASED, digest)
    record = lambda: (home / "record").write_text(word)  # noqa: E731
    store.remove(ID, keep_data=keep, record=record, erase=lambda plugin: erase(home, plugin))


def erase(home: Path, plugin: str) -> None:
    assert plugin == ID
    shutil.rmtree(home / "data", ignore_errors=True)


def opened(home: Path) -> Store:
    """The store as the command line opens it; `record` in the home stands for the record."""
    store = Store(home / "store", home / "grants")
    record = home / "record"
    last = record.read_text() if record.exists() else "a grant's digest"
    store.finish(lambda: {ID: last}, lambda plugin: erase(home, plugin))
    return store


def attempt(home: Path, keep: bool, step: int) -> dict[str, object]:
    killed = killed_at(step, lambda: remove(home, keep))
    store = opened(home)
    names = [path.name for folder in (store.grants, store.packages) for path in folder.iterdir()]
    return {
        "finished": not killed,
        "installed": [grant.id for grant in store.installed()] == [ID],
        "data": (home / "data" / "kept").exists(),
        "packages": len([name for name in names if name.endswith(".ppz")]),
        "marks": [name for name in names if name.endswith(".gone")],
    }


def main(home: Path, how: str, steps: int) -> None:
    if how == "leftovers":
        remove(home, keep=True)
    for step in range(1, steps + 1):
        copy = home.with_name(f"copy{step}")
        shutil.copytree(home, copy)
        print(json.dumps(attempt(copy, how == "keep", step)))


main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
