"""Where plugins keep things, by the kind of run, and what they keep.

paper:    state/values/ID.db and state/files/ID/, from run to run
dry-run:  a copy of the values in memory, so that it decides as a paper run would; files in state/run-files/RUN/ID/
tape:     no values at the start, and in memory: a tape brings the same every time, and teaches later sessions nothing;
          files in state/run-files/RUN/ID/

Laws: a plugin's id, which trust has verified, names its place. Nothing here outlives `pp plugin remove ID`, but for
--keep-data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from pp_host.app.kept import FILES, RUN_FILES, drop_if_empty, values_file
from pp_host.app.roster import Enlisted
from pp_host.home import Home
from pp_host.keep.lines import Lines
from pp_host.keep.values import Values
from pp_host.ports import Record


@dataclass(frozen=True, slots=True)
class Cupboard:
    """Everything that the plugins of one run keep, by plugin id; a plugin without the capability has none."""

    values: dict[str, Values] = field(default_factory=dict)
    lines: dict[str, Lines] = field(default_factory=dict)

    def tell_reads(self, enlisted: Sequence[Enlisted], record: Record) -> None:
        """An entry for each plugin that read what it keeps: how often."""
        for one in enlisted:
            own = self.values.get(one.spec.ref.id)
            if own is not None and own.reads:
                record.append("storage.read", {"reads": own.reads}, plugin=one.spec.ref)


@contextmanager
def cupboard(
    home: Home, enlisted: Sequence[Enlisted], *, run: str, mode: str, tape: bool
) -> Iterator[Cupboard]:
    """What the plugins of a run keep, open until the block ends. OperatorError: something is in the way, or damaged."""
    lasting = mode != "dry-run" and not tape
    kept = Cupboard()
    with ExitStack() as opened:
        for one in enlisted:
            plugin = one.spec.ref.id
            if one.value_bytes:
                own = _values(home, one, lasting=lasting, empty=tape)
                opened.callback(own.close)
                kept.values[plugin] = own
            if one.line_bytes:
                below = (FILES, plugin) if lasting else (RUN_FILES, run, plugin)
                if not lasting:
                    opened.callback(drop_if_empty, home.state.joinpath(*below))
                lines = Lines.open(home.state, *below, most_bytes=one.line_bytes)
                opened.callback(lines.close)
                kept.lines[plugin] = lines
        yield kept


def _values(home: Home, one: Enlisted, *, lasting: bool, empty: bool) -> Values:
    path = values_file(home, one.spec.ref.id)
    if lasting:
        return Values.open(path, one.value_bytes)
    return Values.in_memory(one.value_bytes, begin_with=None if empty else path)
