"""What a fake host keeps for a plugin: the same bounds, quotas and refusals as a host's, in memory.

Laws: nothing is counted otherwise than in `pp_host.keep`. Hand the same one to a second FakeHost, and the plugin finds
what it kept, as after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pp_sdk.storage import MIB, cost
from pp_sdk.wire.frames import ProtocolError
from pp_sdk.wire.messages import (
    KEYS_PAGE,
    Done,
    Failure,
    FileAppend,
    KvDelete,
    KvGet,
    KvKeys,
    KvPage,
    KvPut,
    KvValue,
)

WRITES_PER_CALL: Final = 16
REFUSALS_PER_CALL: Final = 16
FILES_MOST: Final = 4096


class FakeStorage:
    """`kv_mb` and `append_mb` are what is granted, 0 is nothing; `values` and `files` are what is kept."""

    def __init__(self, *, kv_mb: int = 0, append_mb: int = 0) -> None:
        self.kv_mb = kv_mb
        self.append_mb = append_mb
        self.values: dict[str, bytes] = {}
        self.files: dict[str, list[str]] = {}
        self._hook_calls = 1
        self._writes = 0
        self._refusals = 0
        self._answers: Mapping[str, Callable[[Any], Any]] = {
            "kv.get": self._get,
            "kv.keys": self._keys,
            "kv.put": self._put,
            "kv.delete": self._delete,
            "file.append": self._append,
        }

    def called(self, hook_calls: int = 1) -> None:
        """The host calls the plugin, which may write again; `notify` calls its hook once for each event."""
        self._hook_calls, self._writes, self._refusals = hook_calls, 0, 0

    def answer(self, method: str, body: Any) -> Any:
        """The reply, or a Failure. ProtocolError: too many were refused; a host would end the plugin."""
        answer = self._answer(method, body)
        if isinstance(answer, Failure):
            self._refusals += 1
            if self._refusals > REFUSALS_PER_CALL * self._hook_calls:
                raise ProtocolError(
                    f"more than {REFUSALS_PER_CALL} refused requests for each call of a hook: {answer.message}"
                )
        return answer

    def _answer(self, method: str, body: Any) -> Any:
        if not (self.append_mb if method == "file.append" else self.kv_mb):
            return Failure(code="not_granted", message=f"{method}: not granted to this plugin")
        if method not in ("kv.get", "kv.keys"):
            self._writes += 1
            if self._writes > WRITES_PER_CALL * self._hook_calls:
                return Failure(
                    code="too_often",
                    message=f"no more than {WRITES_PER_CALL} changes for each call of a hook",
                )
        return self._answers[method](body)

    def _get(self, body: KvGet) -> KvValue:
        return KvValue(value=self.values.get(body.name))

    def _keys(self, body: KvKeys) -> KvPage:
        found = sorted(name for name in self.values if name.startswith(body.prefix) and name > body.after)
        return KvPage(names=found[:KEYS_PAGE], more=len(found) > KEYS_PAGE)

    def _put(self, body: KvPut) -> Done | Failure:
        before = sum(cost(name, len(value)) for name, value in self.values.items())
        after = before - self._cost(body.name) + cost(body.name, len(body.value))
        if after > self.kv_mb * MIB and after > before:
            return _over_quota(after, self.kv_mb)
        self.values[body.name] = body.value
        return Done()

    def _delete(self, body: KvDelete) -> Done:
        self.values.pop(body.name, None)
        return Done()

    def _append(self, body: FileAppend) -> Done | Failure:
        added = [line for lines in (*self.files.values(), body.lines) for line in lines]
        size = sum(len(line.encode()) + 1 for line in added)
        if size > self.append_mb * MIB:
            return _over_quota(size, self.append_mb)
        if body.file not in self.files and len(self.files) >= FILES_MOST:
            return Failure(code="over_quota", message=f"no more than {FILES_MOST} files")
        self.files.setdefault(body.file, []).extend(body.lines)
        return Done()

    def _cost(self, name: str) -> int:
        return cost(name, len(self.values[name])) if name in self.values else 0


def _over_quota(size: int, megabytes: int) -> Failure:
    return Failure(code="over_quota", message=f"{size} bytes would be over the {megabytes} MB granted")
