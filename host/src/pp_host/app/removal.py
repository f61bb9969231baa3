"""Taking a plugin out of a home, and who may inherit what one left.

Laws: nothing is taken from a plugin that a host has, that the next start would want, or that a set names. What one
publisher's plugin kept is never shown to another's, whatever happened to its grant in between.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from pp_host.app.kept import erase, kept, left
from pp_host.app.operator import record_operator, store_of
from pp_host.config import load, text_of
from pp_host.config.schema import meant
from pp_host.config.sources import Sources
from pp_host.errors import OperatorError, Refused
from pp_host.home import Home
from pp_host.model import PLUGIN_ID
from pp_host.record.reader import RecordReader
from pp_host.trust.grants import Grant
from pp_host.trust.store import ERASED, KEPT


def remove(
    home: Home, plugin: str, *, keep_data: bool, agree: Callable[[Mapping[str, Any]], object]
) -> dict[str, Any]:
    """Take package, grant and what it kept away; what the record says of it. Errors: OperatorError, Refused.

    agree: told what the record will say before anything happens; raises where that is not to be
    """
    store = store_of(home)
    installed = {grant.id: grant for grant in store.installed()}
    grant = installed.get(plugin)
    if grant is None and (keep_data or not re.match(PLUGIN_ID, plugin) or not left(home, plugin)):
        raise OperatorError(f"{plugin}: not installed", hint=meant(plugin, installed) or "pp plugin list")
    _check_resting(home, plugin)
    subject = _subject(home, plugin, grant, keep_data=keep_data)
    agree(subject)
    store.remove(
        plugin,
        keep_data=keep_data,
        record=lambda: record_operator(home, "plugin.remove", subject),
        erase=lambda one: erase(home, one),
    )
    return subject


def _subject(home: Home, plugin: str, grant: Grant | None, *, keep_data: bool) -> dict[str, Any]:
    found = kept(home, plugin)
    return {
        "id": plugin,
        "version": grant.version if grant else "",
        "digest": grant.digest if grant else "",
        "data": KEPT if keep_data else ERASED,
        "value_bytes": found["value_bytes"],
        "files": found["files"],
        "file_bytes": found["file_bytes"],
    }


def _check_resting(home: Home, plugin: str) -> None:
    config = load(home.config_file, os.environ)
    wanted = config.plugins.get(plugin)
    if wanted is not None and wanted.enabled:
        raise OperatorError(
            f'{_line(home, "plugins", plugin)}: plugins."{plugin}": it is enabled, the next start would want it',
            hint="set enabled = false or take the section out, then remove it",
        )
    for name, members in config.sets.items():
        if plugin in members.plugins:
            raise OperatorError(
                f"{_line(home, 'sets', name, 'plugins')}: sets.{name}.plugins: {plugin} is in this set",
                hint="take it out of the set, then remove it",
            )


def _line(home: Home, *path: str) -> str:
    line = Sources(text_of(home.config_file), {}).line(*path)
    return f"pp.toml:{line}" if line else "pp.toml"


def check_heir(home: Home, grant: Grant) -> None:
    """Refused when another publisher's plugin of this id left something here."""
    if not left(home, grant.id):
        return
    owner = _last_publisher(home, grant.id)
    if owner not in ("", grant.keyid):
        raise Refused(
            f"{grant.id}: what it kept here is of another publisher ({owner[:16]})",
            hint=f"pp plugin remove {grant.id} erases that",
        )


def _last_publisher(home: Home, plugin: str) -> str:
    """Whose plugin may have left something: of the one installed last, for it was not let in beside another's.

    Empty when what there was has been erased since, or when none was ever installed.
    """
    owner = ""
    with RecordReader.open(home.state) as reader:
        for entry in reader.entries(("plugin.install", "plugin.remove")):
            if entry.subject["id"] == plugin:
                if entry.event == "plugin.install":
                    owner = str(entry.subject["keyid"])
                elif entry.subject["data"] == ERASED:
                    owner = ""
    return owner
