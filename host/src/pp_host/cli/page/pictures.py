"""The page's charts as PNG files, for where a page cannot go. The only module that touches matplotlib.

Laws: the same figures as the page. Drawn without a window, a display or a plotting state of the process. A matplotlibrc
in the current folder is a stranger's: it is neither read nor obeyed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

from pp_host.app.report.shapes import Report
from pp_host.cli.output import printable
from pp_host.cli.page import charts
from pp_host.cli.page.charts import Bar, BarChart, LineChart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS = 150  # per inch
WIDE = 10.0  # inches
COLOURS = {
    "line": "#005a9c", "gain": "#0072b2", "loss": "#c2500a", "approved": "#00745a",
    "reduced": "#8a6a00", "denied": "#c2500a", "none": "#57606a", "soft": "#57606a", "grid": "#e6e9ec",
}  # fmt: skip


def can_be_drawn() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def drawn(report: Report) -> dict[str, bytes]:
    """Each picture by its file's name."""
    lines = charts.line_charts(report)
    with _matplotlib():
        pictures = {"equity.png": _lines(report, lines[:2]), "exposure.png": _lines(report, lines[2:])}
        bars = {"verdicts.png": charts.verdicts(report), "agents.png": charts.agents(report)}
        return pictures | {name: _bars(report, chart) for name, chart in bars.items()}


@contextmanager
def _matplotlib() -> Iterator[None]:
    """With matplotlib's own defaults, whatever files of settings lie about."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns where it can keep no list of fonts
    with chdir("/"):
        import matplotlib
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams |= {"text.parse_math": False, "font.size": 9, "axes.axisbelow": True}
        yield


def _figure(report: Report, height: float, panels: int, ratios: list[float]) -> tuple[Figure, list[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDE, height), dpi=DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(panels, 1, squeeze=False, height_ratios=ratios)[:, 0])
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(colors=COLOURS["soft"])
    under = (
        f"run {report.header.run}   record of {report.proof.size:,} entries, root {report.proof.root[:32]}"
    )
    figure.supxlabel(under, fontsize=7, color=COLOURS["soft"])
    return figure, axes


def _lines(report: Report, wanted: tuple[LineChart, ...]) -> bytes:
    """The charts one above the other, the first one larger."""
    ratios = [2.0, *[1.0] * (len(wanted) - 1)] if wanted else [1.0]
    figure, axes = _figure(report, 2.2 + 1.6 * max(len(wanted), 1), max(len(wanted), 1), ratios)
    if not wanted:
        axes[0].text(0.5, 0.5, "nothing was observed in this run", ha="center", va="center")
        axes[0].set_axis_off()
    for chart, place in zip(wanted, axes, strict=False):
        _line_chart(chart, place)
    return _png(figure)


def _line_chart(chart: LineChart, axes: Axes) -> None:
    axes.set_title(f"{chart.title} ($): {chart.summary}", loc="left", fontsize=9)
    points = [point for stretch in chart.curve.stretches for point in stretch.points]
    at, values = [point.at for point in points], [point.value for point in points]
    axes.plot(at, values, color=COLOURS["line"], linewidth=1.2, marker="o" if len(set(at)) == 1 else "")
    if chart.filled:
        axes.fill_between(at, values, color=COLOURS["line"], alpha=0.2, linewidth=0)
    axes.set_yticks(chart.values.ticks, chart.values.labels)
    axes.set_xticks(chart.times.ticks, chart.times.labels)
    axes.set_ylim(chart.values.low, chart.values.high)
    if chart.times.high > chart.times.low:
        axes.set_xlim(chart.times.low, chart.times.high)
    axes.grid(color=COLOURS["grid"])


def _bars(report: Report, chart: BarChart) -> bytes:
    rows: list[tuple[str, Bar | None]] = []
    for heading, group in chart.groups:
        rows += [(_plain(heading), None)] if heading else []
        rows += [(_plain(bar.label), bar) for bar in group]
    figure, (axes,) = _figure(report, 1.4 + 0.26 * max(len(rows), 1), 1, [1.0])
    figure.suptitle(f"{chart.title}: {chart.summary}", x=0.01, ha="left", fontsize=9)
    for place, (_, bar) in enumerate(rows):
        if bar is not None:
            _bar(axes, place, bar)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    for (_, bar), tick in zip(rows, axes.get_yticklabels(), strict=True):
        tick.set_fontweight("normal" if bar else "bold")
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.axvline(0, color=COLOURS["soft"], linewidth=0.8)
    axes.set_xticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    return _png(figure)


def _plain(words: str) -> str:
    """In characters that matplotlib's own font has; a stranger's others are spelled out."""
    return printable(words).encode("ascii", "backslashreplace").decode()


def _bar(axes: Axes, place: int, bar: Bar) -> None:
    axes.barh(place, bar.value, color=COLOURS[bar.kind], height=0.6)
    left = bar.value < 0
    axes.annotate(
        bar.words, (bar.value, place), (-4 if left else 4, 0), textcoords="offset points",
        ha="right" if left else "left", va="center", fontsize=8,
    )  # fmt: skip


def _png(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
