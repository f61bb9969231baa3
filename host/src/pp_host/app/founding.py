"""A new home: its keys, its trust in its own development key, and the built-in plugins installed like anyone's."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pp_host import disk
from pp_host.app.operator import install_subject, record_operator
from pp_host.config import Budget, Plugin, default_toml
from pp_host.home import Home, place
from pp_host.model import MICRO
from pp_host.record.note import generate_key
from pp_host.trust import archive, files, manifest
from pp_host.trust.admit import attest
from pp_host.trust.envelope import SIDECAR_SUFFIX
from pp_host.trust.grants import Wish
from pp_host.trust.keys import SigningKey
from pp_host.trust.store import Store
from pp_host.trust.truststore import TrustStore, enrol

DEVELOPMENT_KEY = "development key of this home"
BUILTINS = Path(__file__).parents[4] / "plugins_builtin"  # beside host/ in a checkout

SOURCE_SAMPLE = "dev.probablyprofit.source-sample"
AGENT_VALUE = "dev.probablyprofit.agent-value"
OUTPUT_CONSOLE = "dev.probablyprofit.output-console"
RESTING_AGENTS = (
    "dev.probablyprofit.agent-momentum",
    "dev.probablyprofit.agent-meanrevert",
    "dev.probablyprofit.agent-arbitrage",
)
RESTING_ADVISERS = ("dev.probablyprofit.risk-concentration", "dev.probablyprofit.risk-time")
RESTING_STRATEGY = "dev.probablyprofit.strategy-words"
RESTING_OUTPUTS = ("dev.probablyprofit.output-file",)
BUDGET = Budget(
    order_micros=50 * MICRO, day_micros=2000 * MICRO, exposure_micros=500 * MICRO, orders_per_minute=30
)


def starting_plugins(seed: int = 7) -> dict[str, Plugin]:
    """What a new home runs in paper mode."""
    return {
        SOURCE_SAMPLE: Plugin(config={"markets": 40, "seed": seed}),
        AGENT_VALUE: Plugin(budget=BUDGET),
        OUTPUT_CONSOLE: Plugin(),
    }


def resting_plugins() -> dict[str, Plugin]:
    """What a new home has installed and configured besides, and does not run before an operator enables it."""
    agents = dict.fromkeys(RESTING_AGENTS, Plugin(enabled=False, budget=BUDGET))
    strategy = {RESTING_STRATEGY: Plugin(enabled=False, brief="value")}
    others = dict.fromkeys(RESTING_ADVISERS + RESTING_OUTPUTS, Plugin(enabled=False))
    return {**agents, **strategy, **others}


def found_home(path: Path | None, plugins: Mapping[str, Plugin] | None = None) -> Home:
    """A new home at `path`, else at the default place, that runs `plugins` and has the built-ins installed.

    Errors: OperatorError; nothing is left behind.
    """
    wanted = dict(plugins or starting_plugins())
    text = default_toml(
        {**wanted, **resting_plugins(), **wanted}
    )  # in their order, and resting only if not wanted
    return Home.create(place(path), text, _furnish)


def _furnish(home: Home) -> None:
    generate_key(home.keys / "record", home.origin)
    key = SigningKey.generate()
    public = key.public.line(DEVELOPMENT_KEY)
    disk.write(home.keys / "dev", key.openssh(None))
    disk.write(home.keys / "dev.pub", public.encode() + b"\n")
    trust = TrustStore().with_key(enrol(public, DEVELOPMENT_KEY, ["*"], None))
    trust.save(home.trust_file)
    if BUILTINS.is_dir():
        for folder in sorted(path for path in BUILTINS.iterdir() if (path / manifest.FILE).is_file()):
            install_folder(home, folder, key, trust)


def install_folder(home: Home, folder: Path, key: SigningKey, trust: TrustStore) -> str:
    """Pack, sign and install a plugin's folder through the same door as a stranger's package; its id."""
    members = archive.pack_folder(folder)
    described, _ = manifest.of_package(members)
    package, now = archive.write(members), datetime.now(UTC)
    store = Store(home.store, home.grants)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / f"{described.id}-{described.version}{archive.SUFFIX}"
        files.write(file, package, 0o644)
        sidecar = attest(package, key, archive_name=file.name, now=now)
        files.write(file.with_name(file.name + SIDECAR_SUFFIX), sidecar, 0o644)
        offer = store.offer(file, trust, Wish(), granted_by="pp init", now=now)
    store.install(offer, lambda grant: record_operator(home, "plugin.install", install_subject(grant)))
    return described.id
