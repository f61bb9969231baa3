"""What an operator's command writes to the record, and what it reads from it, when no host is running."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pp_host.app.kept import erase
from pp_host.control import Ask, ask
from pp_host.errors import NoHost, RecordError
from pp_host.home import Home
from pp_host.latch import read_latch
from pp_host.limits import LIMITS
from pp_host.record.entry import Actor
from pp_host.record.log import Record
from pp_host.record.note import Verifier, load_key, load_verifier, vkey_path
from pp_host.record.reader import RecordReader
from pp_host.trust.grants import Grant
from pp_host.trust.store import Store, announcement

COMMANDS = {
    "plugin.install": "allow",
    "plugin.refused": "deny",
    "plugin.remove": "allow",
    "trust.add": "allow",
}
"""What a command writes down while a host may be running, and the verdict it stands for."""


def operator() -> Actor:
    return Actor(kind="operator", id=operator_name())


def operator_name() -> str:
    """Who runs this process, by the system's word and not by the environment's."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container a user may have no name
        return f"uid-{os.getuid()}"


def install_subject(grant: Grant) -> dict[str, Any]:
    """What the record needs to find the package, the consent and a strategy's briefs again, by their digests."""
    return {
        "id": grant.id,
        "version": grant.version,
        "digest": grant.digest,
        "keyid": grant.keyid,
        "grant": grant.file_digest,
        "briefs": grant.briefs,
    }


def store_of(home: Home) -> Store:
    """The home's store; an installation or removal that was interrupted is finished or dropped, as the record tells."""
    store = Store(home.store, home.grants)
    store.finish(lambda: recorded_grants(home), lambda plugin: erase(home, plugin))
    return store


def recorded_grants(home: Home) -> dict[str, str]:
    """Id to the record's last word: the digest of a grant, so that a file swapped since is noticed, or a removal's
    announcement."""
    with RecordReader.open(home.state) as reader:
        return {
            entry.subject["id"]: _last_word(entry.event, entry.subject)
            for entry in reader.entries(("plugin.install", "plugin.remove"))
        }


def _last_word(event: str, subject: Mapping[str, Any]) -> str:
    if event == "plugin.install":
        return str(subject["grant"])
    return announcement(subject["data"], subject["digest"])


def record_operator(home: Home, event: str, subject: Mapping[str, Any]) -> int:
    """Write down durably what an operator's command did, and return the entry's number.

    A running host holds the record and is asked to write it. Errors: those of Record.open and `ask`.
    """
    if event in COMMANDS:
        with suppress(NoHost):
            told = Ask(event=event, subject=dict(subject))
            return int(ask(home.state, "record", told, timeout=LIMITS.control.answer_seconds)["recorded"])
    record = Record.open(home.state, load_key(home.keys / "record"), home.origin, run="")
    try:
        seq = write_down(record, event, subject)
        record.flush()
    finally:
        record.close()
    return seq


def write_down(record: Record, event: str, subject: Mapping[str, Any]) -> int:
    """Append an operator's entry to an open record."""
    return record.append(event, dict(subject), actor=operator(), verdict=COMMANDS.get(event, ""))


def record_verifier(home: Home) -> Verifier:
    """The public half of the key of this home's record. Errors: OperatorError, RecordError when it is another's."""
    path = vkey_path(home.keys / "record")
    verifier = load_verifier(path)
    if verifier.name != home.origin:
        hint = "the key in the home was exchanged, or its configuration"
        raise RecordError(f"{path} is the key of {verifier.name}, the record of {home.origin}", hint=hint)
    return verifier


def halt_reason(home: Home) -> str | None:
    """Why trading is halted: the latch, else the record's last kill that nobody resumed; None when it is not.

    A latch file that went missing lowers nothing.
    """
    latched = read_latch(home.state)
    if latched is not None:
        return latched
    with RecordReader.open(home.state) as reader:
        last = None
        for last in reader.entries(("state.kill", "state.resume")):  # noqa: B007  # the last one is wanted
            pass
    return str(last.subject.get("reason", "")) if last and last.event == "state.kill" else None
