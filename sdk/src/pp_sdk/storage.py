"""What a plugin may keep on the host's side: `kv`, values under keys, and `files`, lines of text in files.

Laws: all of it is the plugin's own; the connection says whose, so no call names an owner or a path. Each needs its
capability (`storage.kv`, `storage.append`). What the host will not do is a RemoteError, whose `failure.code` is
`not_granted`, `over_quota`, `too_often`, `in_the_way` or `unavailable`; what could never be asked is a ValueError.
Only the thread that runs the hooks may call, from `configure` on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

from pp_sdk.host import link
from pp_sdk.wire.messages import FileAppend, KvDelete, KvGet, KvKeys, KvPage, KvPut

KEY_COST: Final = 128  # bytes that every key costs of the quota, besides its own and its value's
MIB: Final = 1024 * 1024

Body = TypeVar("Body")


class KeyValues:
    """Values under keys of 1 to 128 printable ASCII characters, without spaces. A value has at most 256 KiB.

    A put is whole: after any crash the key has its old value or its new one. The quota counts keys, values and
    KEY_COST bytes for each key. For each call of a hook there are 16 changes, lines appended to files among them: in a
    delivery of n events, which are n calls of `notify`, 16 n. Reading is not counted.
    """

    def get(self, key: str) -> bytes | None:
        """The value, or None when nothing is kept under that key."""
        value: bytes | None = link().call("kv.get", _fit(KvGet, name=key)).value
        return value

    def put(self, key: str, value: bytes) -> None:
        """Keep `value`, in place of what is there."""
        link().call("kv.put", _fit(KvPut, name=key, value=value))

    def delete(self, key: str) -> None:
        """Forget the key; one that is not there is no error."""
        link().call("kv.delete", _fit(KvDelete, name=key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Every key that begins with `prefix`, in the order of their bytes, asked for a page at a time."""
        after, more = "", True
        while more:
            page: KvPage = link().call("kv.keys", _fit(KvKeys, prefix=prefix, after=after))
            yield from page.names
            after, more = (page.names or [""])[-1], page.more


class Files:
    """Files of lines. A name is 1 to 64 of `a-z 0-9 . _ -` and does not begin with a dot."""

    def append(self, name: str, *lines: str) -> None:
        """Add 1 to 1,000 whole lines to the end of the file, all or none of them. It is one change (see KeyValues): an
        output gathers lines in `notify`, and writes them together in `flush`.

        A line has at most 65,536 characters and no control character but the tab; it is given without its line break.
        """
        link().call("file.append", _fit(FileAppend, file=name, lines=list(lines)))


def _fit(kind: type[Body], **fields: Any) -> Body:
    """A request as the protocol allows it. Raises ValueError."""
    try:
        return msgspec.convert(fields, kind, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise ValueError(f"{kind.__name__}: {error}") from None


def cost(key: str, value_bytes: int) -> int:
    """Bytes of the quota that an entry takes."""
    return len(key) + value_bytes + KEY_COST


kv: Final = KeyValues()
files: Final = Files()
