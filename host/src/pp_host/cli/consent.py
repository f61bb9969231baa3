"""How a plugin and its permissions are shown to a person. Every word of the author's is escaped first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pp_host.cli.output import folding, printable

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.trust.admit import VerifiedPlugin
    from pp_host.trust.grants import Grant


def draw_plugin(console: Console, plugin: VerifiedPlugin, grant: Grant) -> None:
    """What it is, who signed it, each permission with the author's reason, and every brief whole."""
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
    asked = folding("capability", "what it means here", "the author's reason", title="What it may do")
    for capability in grant.capabilities:
        asked.add_row(
            *(Text(printable(part)) for part in (use(capability), capability.sentence(), capability.reason))
        )
    console.print(asked if grant.capabilities else "It asks for nothing.")
    for brief in plugin.briefs:
        console.print(
            Text(
                f"\nbrief {brief.name}: what every agent is told as your word, sha256 {brief.digest}", "bold"
            )
        )
        for line in brief.text.rstrip("\n").split("\n"):
            console.print(Text(f"  {printable(line)}"))


def draw_kept(console: Console, grant: Grant, found: Mapping[str, Any]) -> None:
    """Where the plugin keeps things, and how much, as far as it may."""
    from rich.text import Text

    from pp_host.trust.capability import StorageAppend, StorageKv

    if grant.held(StorageKv):
        console.print(Text(printable(f"values: {found['value_bytes']} bytes in {found['values']}")))
    if grant.held(StorageAppend):
        sizes = f"{found['files']} of {found['file_bytes']} bytes, those of the runs included"
        console.print(Text(printable(f"files: {sizes}, in {found['folder']}")))


def draw_installed(console: Console, grants: list[Grant]) -> None:
    from rich.text import Text

    from pp_host.trust.capability import use

    table = folding("plugin", "version", "publisher", "sha256", "may")
    for grant in grants:
        may = ", ".join(use(capability) for capability in grant.capabilities)
        row = (grant.id, grant.version, grant.publisher, grant.digest[:16], may or "nothing")
        table.add_row(*(Text(printable(part)) for part in row))
    console.print(table if grants else "No plugin is installed: pp plugin install FILE")


def _limits(grant: Grant) -> str:
    limits = grant.limits
    times = f"{limits.cpu_seconds_per_call:g} s of CPU and {limits.wall_seconds_per_call:g} s a call"
    return f"{limits.memory_mb} MB of memory, {times}, {limits.tmp_mb} MB of scratch space"
