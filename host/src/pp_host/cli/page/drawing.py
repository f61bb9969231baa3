"""Charts as inline SVG and tables: lines are drawn, every word is text of the page.

Laws: an SVG is stretched to the width there is, so it holds no text and no circle; strokes keep their width. Colours
come from the style sheet, by class.
"""

from __future__ import annotations

from collections.abc import Iterator

from pp_host.app.report.curve import Curve
from pp_host.cli.page.charts import Axis, Bar, BarChart, Line, LineChart
from pp_host.cli.page.markup import Html, tag

WIDTH, HEIGHT = 1000, 300
BAR = 1000


def line_chart(chart: LineChart) -> Html:
    lines = chart.lines
    legend = tag("p", *(_sample(line) for line in lines), class_="legend") if len(lines) > 1 else Html()
    plot = tag(
        "div",
        tag("div", *(tag("span", label) for label in reversed(chart.values.labels)), class_="values"),
        _svg(chart),
        tag("div", *(tag("span", label) for label in chart.times.labels), class_="times"),
        class_="plot",
    )
    return _figure(chart.title, chart.summary, legend, plot)


def bar_chart(chart: BarChart) -> Html:
    bars = [bar.value for bar in chart.bars]
    if not bars:
        return _figure(chart.title, chart.summary, tag("p", "None in this run.", class_="none"))
    low, high = min(0, *bars), max(0, *bars)
    rows = []
    for heading, group in chart.groups:
        if heading:
            rows.append(tag("tr", tag("th", heading, colspan="3", scope="colgroup"), class_="heading"))
        rows += [_bar(bar, low, max(high - low, 1)) for bar in group]
    return _figure(chart.title, chart.summary, tag("table", tag("tbody", *rows), class_="bars"))


def _figure(title: str, summary: str, *parts: Html) -> Html:
    caption = tag("figcaption", tag("h3", title), tag("p", summary) if summary else Html())
    return tag("figure", caption, *parts)


def _sample(line: Line) -> Html:
    path = tag("path", d="M0 5H100", class_=_class(line))
    sample = tag("svg", path, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")
    return tag("span", sample, line.name)


def _class(line: Line) -> str:
    return "line dashed" if line.dashed else "line"


def _svg(chart: LineChart) -> Html:
    paths = [tag("path", d="".join(_grid(chart.values)), class_="grid")]
    for line in chart.lines:
        points = list(_points(line.curve, chart))
        if chart.filled:
            floor = _y(chart.values, 0)
            area = [f"{points[0][0]} {floor}", *(f"{x} {y}" for x, y in points), f"{points[-1][0]} {floor}"]
            paths.append(tag("path", d="M" + "L".join(area) + "Z", class_="area"))
        course = "M" + "L".join(f"{x} {y}" for x, y in points) + ("h0" if len(points) == 1 else "")
        paths.append(tag("path", d=course, class_=_class(line)))
    name = f"{chart.title}: {chart.summary}"
    box = f"0 0 {WIDTH} {HEIGHT}"
    return tag("svg", *paths, viewBox=box, preserveAspectRatio="none", role="img", aria_label=name)


def _grid(values: Axis) -> Iterator[str]:
    return (f"M0 {_y(values, tick)}H{WIDTH}" for tick in values.ticks)


def _points(curve: Curve, chart: LineChart) -> Iterator[tuple[float, float]]:
    """Through the lowest and the highest of each stretch, and on to its last value."""
    before = None
    for stretch in curve.stretches:
        x, end = _x(chart.times, stretch.first), _x(chart.times, stretch.last)
        values = dict.fromkeys((stretch.low, stretch.high)) if stretch.low != stretch.high else (stretch.end,)
        for point in (
            *((x, _y(chart.values, value)) for value in values),
            (end, _y(chart.values, stretch.end)),
        ):
            if point != before:
                yield point
            before = point


def _x(times: Axis, at: int) -> float:
    return round((at - times.low) * WIDTH / times.span, 1) if times.span else WIDTH / 2


def _y(values: Axis, value: int) -> float:
    return round(HEIGHT - (value - values.low) * HEIGHT / values.span, 1)


def _bar(bar: Bar, low: int, span: int) -> Html:
    zero = -low * BAR / span
    length = max(abs(bar.value) * BAR / span, 2 if bar.value else 0)
    start = zero - length if bar.value < 0 else zero
    shape = tag("rect", x=f"{start:.1f}", y="1", width=f"{length:.1f}", height="8", class_=bar.kind)
    foot = tag("path", d=f"M{zero:.1f} 0V10", class_="zero")
    drawn = tag("svg", shape, foot, viewBox=f"0 0 {BAR} 10", preserveAspectRatio="none", aria_hidden="true")
    return tag(
        "tr",
        tag("th", bar.label, scope="row"),
        tag("td", drawn, class_="bar"),
        tag("td", bar.words, class_="n"),
    )
