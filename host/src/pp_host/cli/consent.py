"""How a plugin and its permissions are shown to a person. Every word of the author's is escaped first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pp_host.cli.output import folding, printable

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.app.inventory import Installed
    from pp_host.trust.admit import VerifiedPlugin
    from pp_host.trust.grants import Grant


def draw_plugin(console: Console, plugin: VerifiedPlugin, grant: Grant) -> None:
    """What it is, who signed it, every brief whole, and each permission with the author's reason."""
    from rich.table import Table
    from rich.text import Text

    from pp_host.trust.capability import use

    described = plugin.manifest
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    for name, value in (
        ("plugin", f"{described.id} {described.version} ({described.kind})"),
        ("title", f"{described.title} - {described.summary}"),
        ("publisher", f"{plugin.publisher}, keyid {plugin.keyid}"),
        ("sha256", plugin.digest),
        ("limits", _limits(grant)),
    ):
        facts.add_row(Text(name, "bold"), Text(printable(value)))
    console.print(facts)
    _draw_briefs(console, plugin)
    asked = folding("capability", "what it means here", "the author's reason", title="What it may do")
    for capability in grant.capabilities:
        asked.add_row(
            *(Text(printable(part)) for part in (use(capability), capability.sentence(), capability.reason))
        )
    console.print(asked if grant.capabilities else "It asks for nothing.")


def _draw_briefs(console: Console, plugin: VerifiedPlugin) -> None:
    """Every brief beside a bar, however its lines are folded: none of it can pass for a line of ours."""
    from rich.table import Table
    from rich.text import Text

    for brief in plugin.briefs:
        console.print(
            Text(f"\nbrief {brief.name}: agents are told this as your word; sha256 {brief.digest}", "bold")
        )
        lines = Table.grid(padding=(0, 1))
        lines.add_column()
        lines.add_column(overflow="fold")
        for line in brief.text.rstrip("\n").split("\n"):
            pieces = Text(printable(line)).wrap(console, console.width - 2) or [Text()]
            for piece in pieces:
                lines.add_row("\u2502", piece)
        console.print(lines)


def draw_kept(console: Console, grant: Grant, found: Mapping[str, Any]) -> None:
    """Where the plugin keeps things, and how much, as far as it may."""
    from rich.text import Text

    from pp_host.trust.capability import StorageAppend, StorageKv

    if grant.held(StorageKv):
        values = (
            f"{found['value_bytes']:,} bytes in {found['values']}" if found["value_bytes"] else "none yet"
        )
        console.print(Text(printable(f"values kept: {values}")))
    if grant.held(StorageAppend):
        sizes = f"{found['files']:,}, {found['file_bytes']:,} bytes" if found["files"] else "none yet"
        console.print(Text(printable(f"files: {sizes}; a paper run's are in {found['folder']}")))
        if found["files"]:
            console.print(Text(printable(f"       those of tapes and dry runs in {found['run_folders']}")))


def draw_installed(console: Console, plugins: Sequence[Installed]) -> None:
    from rich.text import Text

    from pp_host.cli.tables import plugin_names, unbroken
    from pp_host.trust.capability import use

    names = plugin_names(one.grant.id for one in plugins)
    columns = ("plugin", "version", "kind", "state", "may")
    table = folding(*columns, firm={"version", "kind", "state", *unbroken(names)})
    for one in plugins:
        may = ", ".join(use(capability) for capability in one.grant.capabilities)
        facts = (one.grant.version, one.kind, one.state, may or "nothing")
        table.add_row(names[one.grant.id], *(Text(printable(part)) for part in facts))
    console.print(table if plugins else "No plugin is installed: pp plugin install FILE")
    if plugins:
        console.print("whole ids and digests: pp plugin list --json")


def _limits(grant: Grant) -> str:
    limits = grant.limits
    times = f"{limits.cpu_seconds_per_call:g} s of CPU and {limits.wall_seconds_per_call:g} s a call"
    return f"{limits.memory_mb} MB of memory, {times}, {limits.tmp_mb} MB of scratch space"
