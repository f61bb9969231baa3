"""Run by test_store.py in a process of its own: kill an install at each of its changes of the disk, then look.

Arguments: a home's folder (store, grants, trust.json), a newer package, how many steps to try. Prints one JSON line
a step: whether the install ended by itself, the version that loads afterwards, and after one more install.
"""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from pp_host.trust.grants import Wish
from pp_host.trust.store import Store
from pp_host.trust.truststore import TrustStore

from tests.unit.trust.killing import killed_at

ID = "org.example.momentum"


def install(home: Path, package: Path) -> None:
    store, trust = opened(home), TrustStore.open(home / "trust.json")
    offer = store.offer(package, trust, Wish(), granted_by="op", now=datetime.now(UTC))
    store.install(offer, lambda grant: (home / "record").write_text(grant.file_digest))


def opened(home: Path) -> Store:
    """The store as the command line opens it; `record` in the home stands for the record."""
    store = Store(home / "store", home / "grants")
    record = home / "record"
    store.finish(lambda: {ID: record.read_text()} if record.exists() else {}, lambda plugin: None)
    return store


def version(home: Path) -> str:
    store, trust = opened(home), TrustStore.open(home / "trust.json")
    plugin, grant = store.load(ID, trust)
    assert [each.version for each in store.installed()] == [grant.version] == [plugin.manifest.version]
    return grant.version


def attempt(home: Path, package: Path, step: int) -> dict[str, object]:
    killed = killed_at(step, lambda: install(home, package))
    found = version(home)
    install(home, package)
    assert not [path.name for path in (home / "store").iterdir() if path.name.startswith(".")], (
        "a draft is left"
    )
    return {"finished": not killed, "found": found, "again": version(home)}


def main(home: Path, package: Path, steps: int) -> None:
    for step in range(1, steps + 1):
        copy = home.with_name(f"copy{step}")
        shutil.copytree(home, copy)
        print(json.dumps(attempt(copy, package, step)))


main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
