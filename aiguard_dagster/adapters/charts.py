"""Small charts as SVG, for Dagster's UI and for files; shares of rows, never rows."""

import base64
from collections.abc import Sequence
from xml.sax.saxutils import escape

from aiguard_dagster.core.verdicts import Chart, Part

BEFORE, NOW, INK, LIMIT = "#b8bfc9", "#2f6fde", "#3b4252", "#c8452f"
LABEL, BAR, SHARE, ROW = 150, 190, 46, 20
FONT = "font-family='system-ui,sans-serif' font-size='11'"
MOST_CHARTS = 3
LONGEST_LABEL = 24


def histograms(parts: Sequence[Part]) -> str:
    """The worst columns' histograms as Markdown that Dagster's UI renders; empty if there are none.

    Args:
        parts: Worst first.
    """
    drawn = [(part.name, part.chart) for part in parts[:MOST_CHARTS] if part.chart is not None]
    return "\n\n".join(
        f"![{_plain(name)}]({data_uri(histogram(name, chart))})" for name, chart in drawn
    )


def data_uri(svg: str) -> str:
    """An SVG as an address that holds all of it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def histogram(title: str, chart: Chart) -> str:
    """One column's shares by bin: the baseline in grey, the window in blue."""
    width, height = LABEL + BAR + SHARE, ROW * (len(chart.labels) + 2)
    scale = BAR / max(*chart.before, *chart.now, 1e-9)
    drawn = [
        _text(0, 13, title, weight="bold"),
        _text(LABEL, 13, "baseline", colour="#7b8494"),
        _text(LABEL + 60, 13, "now", colour=NOW),
    ]
    for place, (label, before, now) in enumerate(
        zip(chart.labels, chart.before, chart.now, strict=True)
    ):
        top = ROW * (place + 1) + 4
        drawn += [
            _text(LABEL - 6, top + 11, _short(label), anchor="end"),
            _bar(LABEL, top, before * scale, BEFORE),
            _bar(LABEL, top + 7, now * scale, NOW),
            _text(LABEL + max(before, now) * scale + 4, top + 11, f"{now:.1%}"),
        ]
    return _svg(width, height, drawn)


def history(title: str, scores: Sequence[float], level: float) -> str:
    """How strange each of the baseline's own windows was, in time order, and where the limit is."""
    width, height, left = 640, 200, 34
    low = min([0.0, *scores])
    high = max([level * 1.15, *scores, low + 1.0])

    def y(value: float) -> float:
        return height - 20 - (value - low) / (high - low) * (height - 50)

    step = (width - left - 10) / max(len(scores) - 1, 1)
    line = " ".join(f"{left + k * step:.1f},{y(score):.1f}" for k, score in enumerate(scores))
    beyond = [k for k, score in enumerate(scores) if score > level]
    drawn = [
        _text(8, 13, title, weight="bold"),
        f"<polyline points='{line}' fill='none' stroke='{NOW}' stroke-width='1.3'/>",
        (
            f"<line x1='{left}' x2='{width - 10}' y1='{y(level):.1f}' y2='{y(level):.1f}'"
            f" stroke='{LIMIT}' stroke-dasharray='5 3'/>"
        ),
        *(
            f"<circle cx='{left + k * step:.1f}' cy='{y(scores[k]):.1f}' r='3' fill='{LIMIT}'/>"
            for k in beyond
        ),
        _text(left + 4, y(level) - 4, f"limit {level:.3g}", colour=LIMIT),
        *(
            _text(left - 4, y(tick) + 4, f"{tick:.2g}", anchor="end")
            for tick in sorted({0.0, max(scores, default=0.0)})
        ),
        _text(
            left,
            height - 4,
            f"{len(scores)} windows of the baseline, in time order; score in normal standard"
            f" deviations, {len(beyond)} beyond the limit",
        ),
    ]
    return _svg(width, height, drawn)


def _svg(width: float, height: float, drawn: Sequence[str]) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:g}' height='{height:g}'"
        f" viewBox='0 0 {width:g} {height:g}'><rect width='100%' height='100%' fill='white'/>"
        f"{''.join(drawn)}</svg>"
    )


def _bar(x: float, y: float, width: float, colour: str) -> str:
    return f"<rect x='{x:g}' y='{y:g}' width='{max(width, 0.5):.1f}' height='6' fill='{colour}'/>"


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, weight: str = ""
) -> str:
    bold = f" font-weight='{weight}'" if weight else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {FONT}{bold} fill='{colour}' text-anchor='{anchor}'>"
        f"{escape(text)}</text>"
    )


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in " _-" else " " for letter in name)
