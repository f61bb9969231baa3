"""What a plugin asks to keep, and to see again of what it kept.

Laws: an asker reaches its own and nothing else. A change is done and then an entry of the record, in one step that
nothing can come between; the entry has the digest, never the value. Reading brings no entry: what can be read was
put by the same plugin, and is in the record from then; how often it read is told when the run ends. Large values read
without end must not take the event loop from others: above so many bytes a second answers wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TypeVar

from msgspec import Raw, Struct
from pp_sdk.wire import messages
from pp_sdk.wire.messages import decode_body

from pp_host.broker.asker import Asker, Means
from pp_host.errors import RequestRefused
from pp_host.limits import LIMITS

CAPABILITIES: Mapping[str, str] = {
    "kv.get": "storage.kv",
    "kv.put": "storage.kv",
    "kv.delete": "storage.kv",
    "kv.keys": "storage.kv",
    "file.append": "storage.append",
}
"""The capability that each of these requests needs."""

Granted = TypeVar("Granted")


async def answer_kv_get(means: Means, asker: Asker, body: Raw) -> Struct:
    asked = decode_body(body, messages.KvGet)
    value = _granted(asker.values, "storage.kv").get(asked.name)
    await asker.read_bytes.wait(len(value or b""))
    return messages.KvValue(value=value)


async def answer_kv_keys(means: Means, asker: Asker, body: Raw) -> Struct:
    asked = decode_body(body, messages.KvKeys)
    names, more = _granted(asker.values, "storage.kv").names(asked.prefix, asked.after)
    await asker.read_bytes.wait(sum(map(len, names)))
    return messages.KvPage(names=names, more=more)


async def answer_kv_put(means: Means, asker: Asker, body: Raw) -> Struct:
    asked = decode_body(body, messages.KvPut)
    values = _granted(asker.values, "storage.kv")
    _count(asker)
    values.put(asked.name, asked.value)
    _record(means, asker, "storage.put", "storage.kv", {"key": asked.name, **_digest(asked.value)})
    return messages.Done()


async def answer_kv_delete(means: Means, asker: Asker, body: Raw) -> Struct:
    asked = decode_body(body, messages.KvDelete)
    values = _granted(asker.values, "storage.kv")
    _count(asker)
    existed = values.delete(asked.name)
    _record(means, asker, "storage.delete", "storage.kv", {"key": asked.name, "existed": existed})
    return messages.Done()


async def answer_file_append(means: Means, asker: Asker, body: Raw) -> Struct:
    asked = decode_body(body, messages.FileAppend)
    lines = _granted(asker.lines, "storage.append")
    _count(asker)
    data = "".join(f"{line}\n" for line in asked.lines).encode()
    cut = lines.append(asked.file, data)
    subject = {"file": asked.file, "lines": len(asked.lines), **_digest(data), "cut": cut}
    _record(means, asker, "storage.append", "storage.append", subject)
    return messages.Done()


def _granted(own: Granted | None, capability: str) -> Granted:
    if own is None:
        raise RequestRefused("not_granted", f"{capability} was not granted to this plugin")
    return own


def _count(asker: Asker) -> None:
    if not asker.writes.take():
        most = LIMITS.keep.writes_per_call
        raise RequestRefused("too_often", f"no more than {most} changes for each call of a hook")


def _digest(data: bytes) -> dict[str, int | str]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _record(means: Means, asker: Asker, event: str, capability: str, subject: dict[str, int | str]) -> None:
    means.record.append(
        event, subject, plugin=asker.plugin, capability=capability, verdict="allow", rule=asker.grant
    )
