"""The plugin that is measured: tiny, packed, signed and verified like anyone's, behind the real walls.

`started` and `blocking_peer` are the only places here that start a plugin.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Raw, Struct
from pp_host.errors import PluginViolation
from pp_host.limits import LIMITS
from pp_host.model import PluginRef
from pp_host.sandbox.attest import attest as attest_walls
from pp_host.sandbox.launch import Launch, discard, launch
from pp_host.supervisor.life import Outcome
from pp_host.supervisor.plan import plan_of
from pp_host.supervisor.process import Answering, PluginProcess
from pp_host.supervisor.spec import PluginSpec
from pp_host.trust import archive
from pp_host.trust.admit import VerifiedPlugin, attest, verify
from pp_host.trust.keys import SigningKey
from pp_host.trust.truststore import TrustStore, enrol
from pp_sdk.memfd import seal
from pp_sdk.types import Proposal, RiskView
from pp_sdk.wire import messages
from pp_sdk.wire.blocking import Peer
from pp_sdk.wire.connection import EventReceived
from pp_sdk.wire.messages import Advise, Side, decode_body

MANIFEST = b"""\
schema: probablyprofit/plugin/v1
id: org.example.guest
version: 1.0.0
kind: risk
title: A guest to be measured
summary: keeps every order, unless it is told to misbehave
license: MIT
authors: [{name: Example Ltd}]
homepage: https://example.org
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: guest, object: plugin, runtime: python}
hooks: [advise]
capabilities:
  - {use: risk.advise, reason: "is asked about each order"}
limits: {memory_mb: 192, cpu_seconds_per_call: 5, wall_seconds_per_call: 5, tmp_mb: 0}
"""

CODE = b"""\
from pp_sdk import Keep, hookimpl, log


def spin():
    while True:
        pass


def flood():
    while True:
        log.info("")


def bomb():
    hoard = []
    while True:
        try:
            hoard.append(b"x" * (1 << 20) + bytes(len(hoard)))
        except MemoryError:
            pass


class Guest:
    @hookimpl
    def configure(self, config):
        self.mischief = {"": None, "spin": spin, "flood": flood, "bomb": bomb}[config.get("mischief", "")]

    @hookimpl
    def advise(self, proposal, view):
        if self.mischief:
            self.mischief()
        return Keep()


plugin = Guest()
"""

QUESTION = Advise(
    proposal=Proposal(
        plugin="org.example.agent",
        market="will-it-happen-000001",
        outcome="yes",
        side="buy",
        shares=12_000_000,
        limit_price=430_000,
    ),
    view=RiskView(now=1_767_225_600_000_000, equity=1_000_000_000, cash=900_000_000, exposure=100_000_000),
)
"""A small call: an order to be judged, about 190 bytes; the answer is Keep, about 20."""


@dataclass(frozen=True)
class Package:
    """What an operator has of a plugin: two files and a trusted key."""

    name: str
    archive: bytes
    sidecar: bytes
    trust: TrustStore

    @classmethod
    def made(cls) -> Package:
        name = "org.example.guest-1.0.0.ppz"
        packed = archive.write({"plugin.yaml": MANIFEST, "guest.py": CODE})
        key = SigningKey(Ed25519PrivateKey.generate())
        trust = TrustStore().with_key(enrol(key.public.line(), "Example Ltd", ["org.example.*"], None))
        return cls(name, packed, attest(packed, key, archive_name=name, now=datetime.now(UTC)), trust)

    def verified(self) -> VerifiedPlugin:
        return verify(self.archive, self.sidecar, self.trust, archive_name=self.name)


def spec_of(verified: VerifiedPlugin, *, mischief: str = "") -> PluginSpec:
    manifest = verified.manifest
    return PluginSpec(
        ref=PluginRef(manifest.id, manifest.version, verified.digest),
        kind="risk",
        archive=verified.archive,
        module=manifest.entry.module,
        object=manifest.entry.object,
        hooks=("advise",),
        config={"mischief": mischief},
        seed=7,
        hash_seed=7,
        grant="",
        level="L3",
        venues=None,
        account="exact",
        events=None,
        detail="none",
        memory_mb=manifest.limits.memory_mb,
        tmp_mb=0,
        cpu_seconds=manifest.limits.cpu_seconds_per_call,
        wall_seconds=manifest.limits.wall_seconds_per_call,
        outer_seconds=LIMITS.wire.call_outer_seconds,
    )


class Silence:
    """Nobody to ask: a guest that says anything has broken the protocol."""

    def hear(self, method: str, body: Raw) -> None:
        raise PluginViolation(method)

    def answer(self, method: str, body: Raw) -> Awaitable[Struct]:
        raise PluginViolation(method)


async def started(
    spec: PluginSpec,
    desk: Answering = Silence(),  # noqa: B008  # it holds nothing
    launch: Launch = launch,
) -> PluginProcess:
    """The plugin, running; cold, unless `launch` is that of a launcher which is kept. The caller ends it."""
    return await PluginProcess.start(spec, desk, lambda line: None, now=0, launch=launch)


@asynccontextmanager
async def running(
    spec: PluginSpec,
    desk: Answering = Silence(),  # noqa: B008  # it holds nothing
    launch: Launch = launch,
) -> AsyncIterator[PluginProcess]:
    process = await started(spec, desk, launch)
    try:
        yield process
    finally:
        process.end(Outcome.OK, "measured")
        await process.ended()


@asynccontextmanager
async def blocking_peer(spec: PluginSpec) -> AsyncIterator[Peer]:
    """The same plugin behind the same walls, asked through the blocking driver with the same deadline."""
    jailed = await launch(
        dataclasses.replace(plan_of(spec), told=False), timeout_seconds=LIMITS.wire.handshake_seconds
    )
    try:
        with _wired(jailed.rpc, spec.wall_seconds) as peer:
            _shake_hands(peer, jailed.pid, spec)
            yield peer
    finally:
        discard(jailed)


@contextmanager
def _wired(rpc: socket.socket, seconds: float) -> Iterator[Peer]:
    """Every wait is bounded by the kernel: `settimeout` would ask it twice, to wait and to receive."""
    whole, part = divmod(seconds, 1)
    limit = struct.pack("ll", int(whole), int(part * 1_000_000))
    with rpc:
        rpc.setblocking(True)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            rpc.setsockopt(socket.SOL_SOCKET, option, limit)
        yield Peer(rpc, Side.HOST)


def _shake_hands(peer: Peer, pid: int, spec: PluginSpec) -> None:
    hello = peer.receive()
    assert isinstance(hello, EventReceived)
    attest_walls(pid, spec.level, decode_body(hello.body, messages.Hello).selfcheck)
    fd = seal(spec.archive)
    load = messages.Load(
        archive_bytes=len(spec.archive),
        module=spec.module,
        object=spec.object,
        hooks=["configure", *spec.hooks],
    )
    peer.call("load", load, fds=(fd,))
    os.close(fd)
    config: dict[str, Any] = dict(spec.config)
    peer.call("configure", messages.Configure(config=config, seed=spec.seed, now=0))
