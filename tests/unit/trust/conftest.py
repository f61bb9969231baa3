"""A small plugin, its publisher, and the trust store that admits it. Keys are test keys, fixed so that bytes are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pp_host.trust import archive
from pp_host.trust.admit import attest
from pp_host.trust.keys import SigningKey
from pp_host.trust.truststore import TrustStore, enrol

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)

MANIFEST = b"""\
schema: probablyprofit/plugin/v1
id: org.example.momentum
version: 1.4.0
kind: agent
title: Momentum on liquid markets
summary: buys what rose
license: MIT
authors: [{name: Example Ltd, email: x@example.org}]
homepage: https://example.org
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: momentum, object: plugin, runtime: python}
hooks: [decide]
capabilities:
  - {use: market.read, venues: [polymarket], reason: "reads quotes to rank markets"}
  - {use: decision.propose, markets: any, max_order_usd: 50, max_day_usd: 500, reason: "proposes trades"}
limits: {memory_mb: 256, cpu_seconds_per_call: 1, wall_seconds_per_call: 5, tmp_mb: 0}
config: {schema: config.schema.json}
"""
SCHEMA = (
    b'{"type":"object","properties":{"edge":{"type":"number","default":0.02}},"additionalProperties":false}'
)
FILES = {"plugin.yaml": MANIFEST, "momentum.py": b"plugin = None\n", "config.schema.json": SCHEMA}

Edit = Callable[[str, str], dict[str, bytes]]


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def source() -> dict[str, bytes]:
    return dict(FILES)


@pytest.fixture
def edited(source: dict[str, bytes]) -> Edit:
    """The plugin's files with one text in plugin.yaml replaced by another."""

    def edit(old: str, new: str) -> dict[str, bytes]:
        assert old.encode() in source["plugin.yaml"]
        return {**source, "plugin.yaml": source["plugin.yaml"].replace(old.encode(), new.encode(), 1)}

    return edit


@pytest.fixture
def publisher() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.from_private_bytes(b"publisher".ljust(32, b".")))


@pytest.fixture
def stranger() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.from_private_bytes(b"stranger".ljust(32, b".")))


@pytest.fixture
def trust(publisher: SigningKey) -> TrustStore:
    return TrustStore().with_key(enrol(publisher.public.line(), "Example Ltd", ["org.example.*"], None))


Ship = Callable[..., Path]


@pytest.fixture
def ship(tmp_path: Path, publisher: SigningKey) -> Ship:
    """Pack and sign files as NAME into a folder of their own; the path of the package."""

    def write(
        files: Mapping[str, bytes], name: str = "org.example.momentum-1.4.0.ppz", key: SigningKey = publisher
    ) -> Path:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        package = archive.write(files)
        (folder / name).write_bytes(package)
        sidecar = attest(package, key, archive_name=name, now=NOW)
        (folder / f"{name}.sigstore.json").write_bytes(sidecar)
        return folder / name

    return write
