"""What a running plugin may say to the host, as a table.

A method that is not in RULES ends the plugin: there is no soft answer to a question nobody may ask (when each may be
asked is the wire's own table). A well-formed request that policy refuses raises RequestRefused: a typed error reply,
recorded; too many of those in one call end the plugin too, and so do too many lines of log. Too many requests a second
only wait: how long a plugin lives must not depend on how fast a tape plays. Names pair across the wall: the SDK's
`clock.now` is answered by `answer_clock_now`, an event `log.write` is heard by `hear_log_write`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from msgspec import Raw, Struct
from pp_sdk.wire import messages
from pp_sdk.wire.messages import decode_body

from pp_host.broker import keeping
from pp_host.broker.asker import Asker, Means
from pp_host.errors import PluginViolation, RequestRefused
from pp_host.limits import LIMITS

Hear = Callable[[Means, Asker, Raw], None]
Answer = Callable[[Means, Asker, Raw], Awaitable[Struct]]


def hear_log_write(means: Means, asker: Asker, body: Raw) -> None:
    line = decode_body(body, messages.LogWrite)
    if not asker.log_lines.take():
        most = LIMITS.wire.log_lines_per_call
        raise PluginViolation(f"more than {most} lines of log for each call of a hook")
    if not asker.log_bytes.take(len(bytes(body)) + LIMITS.wire.log_line_bytes):
        return  # a chatty plugin is no attack, but the record must not fill up with it
    means.record.append(
        "plugin.log",
        {"level": line.level, "message": line.message},
        plugin=asker.plugin,
        verdict="allow",
    )


async def answer_clock_now(means: Means, asker: Asker, body: Raw) -> Struct:
    decode_body(body, messages.ClockNow)
    return messages.Now(now=means.clock.now())


EVENTS: Mapping[str, Hear] = {"log.write": hear_log_write}
REQUESTS: Mapping[str, Answer] = {
    "clock.now": answer_clock_now,
    "kv.get": keeping.answer_kv_get,
    "kv.put": keeping.answer_kv_put,
    "kv.delete": keeping.answer_kv_delete,
    "kv.keys": keeping.answer_kv_keys,
    "file.append": keeping.answer_file_append,
}


class Broker:
    """Hears and answers every plugin by the same tables."""

    def __init__(
        self, means: Means, *, events: Mapping[str, Hear] = EVENTS, requests: Mapping[str, Answer] = REQUESTS
    ) -> None:
        self._means = means
        self._events = events
        self._requests = requests

    def hear(self, asker: Asker, method: str, body: Raw) -> None:
        """Take an event. PluginViolation or ProtocolError: the plugin ends."""
        handler = self._events.get(method)
        if handler is None:
            raise PluginViolation(f"said {method!r}, which nobody may")
        handler(self._means, asker, body)

    async def answer(self, asker: Asker, method: str, body: Raw) -> Struct:
        """The reply to a request. RequestRefused: say no and go on. PluginViolation, ProtocolError: the plugin ends."""
        handler = self._requests.get(method)
        if handler is None:
            raise PluginViolation(f"asked {method!r}, which nobody may")
        await asker.requests.wait(1)
        try:
            return await handler(self._means, asker, body)
        except RequestRefused as refusal:
            self._means.record.append(
                "capability.deny",
                {"method": method, "code": refusal.code},
                plugin=asker.plugin,
                capability=keeping.CAPABILITIES.get(method, method),
                verdict="deny",
                rule=asker.grant,
            )
            if not asker.refusals.take():
                most = LIMITS.wire.refusals_per_call
                raise PluginViolation(
                    f"more than {most} refused requests for each call of a hook"
                ) from refusal
            raise


@dataclass(frozen=True, slots=True)
class Desk:
    """The broker as one plugin sees it."""

    broker: Broker
    asker: Asker

    def hear(self, method: str, body: Raw) -> None:
        self.broker.hear(self.asker, method, body)

    def answer(self, method: str, body: Raw) -> Awaitable[Struct]:
        return self.broker.answer(self.asker, method, body)
