"""Charts as inline SVG and tables: lines are drawn, every word is text of the page.

Laws: an SVG is stretched to the width there is, so it holds no text and no circle; strokes keep their width. Colours
come from the style sheet, by class.
"""

from __future__ import annotations

from pp_host.cli.page.charts import Axis, Bar, BarChart, LineChart
from pp_host.cli.page.markup import Html, tag

WIDTH, HEIGHT = 1000, 300
BAR = 1000


def line_chart(chart: LineChart) -> Html:
    values = tag("div", *(tag("span", label) for label in reversed(chart.values.labels)), class_="values")
    plot = tag("div", values, _svg(chart), _times(chart.times), class_="plot")
    return _figure(chart.title, chart.summary, plot)


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


def _times(times: Axis) -> Html:
    """Beside the plot and not stretched with it; every second word is left out where there is little room."""
    words = []
    for number, (tick, label) in enumerate(zip(times.ticks, times.labels, strict=True)):
        place = times.place(tick)
        anchor = "start" if place < 0.04 else "end" if place > 0.96 else "middle"
        kind = {"class_": "second"} if number % 2 else {}
        words.append(tag("text", label, x=f"{place:.2%}", y="11", text_anchor=anchor, **kind))
    return tag("svg", *words, class_="times", height="14", aria_hidden="true")


def _svg(chart: LineChart) -> Html:
    across = "".join(f"M0 {_y(chart.values, tick)}H{WIDTH}" for tick in chart.values.ticks)
    down = "".join(f"M{_x(chart.times, tick)} 0V{HEIGHT}" for tick in chart.times.ticks)
    paths = [tag("path", d=across + down, class_="grid")]
    points = [
        f"{_x(chart.times, point.at)} {_y(chart.values, point.value)}"
        for stretch in chart.curve.stretches
        for point in stretch.points
    ]
    course = "L".join(dict.fromkeys(points))
    if chart.filled:
        floor = _y(chart.values, 0)
        ends = [f"{point.partition(' ')[0]} {floor}" for point in (points[0], points[-1])]
        paths.append(tag("path", d=f"M{ends[0]}L{course}L{ends[1]}Z", class_="area"))
    paths.append(tag("path", d=f"M{course}" + ("h0" if len(points) == 1 else ""), class_="line"))
    named = {"role": "img", "aria_label": f"{chart.title}: {chart.summary}"}
    return tag("svg", *paths, viewBox=f"0 0 {WIDTH} {HEIGHT}", preserveAspectRatio="none", **named)


def _x(times: Axis, at: int) -> float:
    return round(times.place(at) * WIDTH, 1)


def _y(values: Axis, value: int) -> float:
    return round((1 - values.place(value)) * HEIGHT, 1)


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
