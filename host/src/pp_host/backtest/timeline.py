"""When something was priced, as counts over equal stretches of time, and those as one line of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
GAP = "·"  # the tape has steps here, this line has none
NOTHING = " "  # the tape has no step here


class Timeline:
    """Lines of counts: `columns` equal stretches between the first and the last moment (microseconds UTC)."""

    def __init__(self, moments: Sequence[int], columns: int, names: Iterable[str]) -> None:
        self.columns = min(columns, len(moments))
        self._first = moments[0]
        self._span = moments[-1] - moments[0] + 1
        self._lines: dict[str, list[int]] = {name: [0] * self.columns for name in names}
        self._newest = dict.fromkeys(self._lines, -1)
        self._steps = [0] * self.columns
        for at in moments:
            self._steps[self._column(at)] += 1

    @property
    def names(self) -> list[str]:
        """The lines, by the stretch in which each begins."""
        return sorted(
            self._lines, key=lambda name: next((i for i, n in enumerate(self._lines[name]) if n), -1)
        )

    def mark(self, name: str, at: int) -> None:
        """The line has a price at this moment; a moment counts once however often it is named in a row."""
        if self._newest[name] != at:
            self._newest[name] = at
            self._lines[name][self._column(at)] += 1

    def picture(self, name: str) -> str:
        """One character a stretch; the line's busiest stretch is a full block."""
        counts = self._lines[name]
        busiest = max(counts, default=0) or 1
        return "".join(
            BLOCKS[-(-len(BLOCKS) * count // busiest) - 1] if count else GAP if steps else NOTHING
            for count, steps in zip(counts, self._steps, strict=True)
        )

    def _column(self, at: int) -> int:
        return (at - self._first) * self.columns // self._span
