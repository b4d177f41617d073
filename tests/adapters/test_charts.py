"""Charts are well-formed SVG, whatever the names in them, and small."""

import base64
from xml.etree import ElementTree as ET

import pytest

from aiguard_dagster.adapters.charts import data_uri, histogram, histograms, history
from aiguard_dagster.core.verdicts import Chart, Part

HOSTILE = "<script>alert('1')</script> & \"größe\" ]]>"


def drawn(svg):
    return ET.fromstring(svg)  # noqa: S314 - our own drawing


def chart_of(*labels):
    share = 1 / len(labels)
    return Chart(labels=labels, before=(share,) * len(labels), now=(share,) * len(labels))


def texts(svg):
    return [element.text for element in drawn(svg).iter() if element.text]


@pytest.mark.parametrize("name", ["hum", HOSTILE, "", "x" * 500])
def test_a_histogram_is_well_formed_whatever_the_names(name):
    found = histogram(name, chart_of("below 1", name or "a", "above 3"))
    assert drawn(found).tag.endswith("svg")
    assert "<script" not in found
    assert "33.3%" in texts(found)


def test_longer_bars_are_larger_shares():
    found = drawn(histogram("x", Chart(labels=("a",), before=(0.25,), now=(0.5,))))
    widths = [float(bar.get("width")) for bar in found.iter() if bar.get("height") == "6"]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)


def test_a_chart_of_nothing_is_still_a_chart():
    drawn(histogram("x", Chart(labels=("a",), before=(0.0,), now=(0.0,))))
    drawn(history("rule", [], 2.0))
    drawn(history("rule", [1.0], 2.0))


def test_only_the_worst_few_columns_are_drawn_and_they_are_small():
    parts = [
        Part(
            name=f"x{k}", value=1, text="", chart=chart_of(*(f"{b} to {b + 1}" for b in range(12)))
        )
        for k in range(9)
    ]
    found = histograms(parts)
    assert found.count("data:image/svg+xml;base64,") == 3
    assert len(found) < 24_000


def test_parts_without_a_chart_are_not_drawn():
    assert histograms([Part(name="a & b", value=1, text="correlation 0.9 → 0.1")]) == ""


def test_no_name_breaks_out_of_the_markdown():
    found = histograms([Part(name="](javascript:x)![", value=1, text="", chart=chart_of("a"))])
    assert found.count("](") == 1


def test_the_address_holds_the_drawing():
    uri = data_uri("<svg/>")
    assert base64.b64decode(uri.partition(",")[2]) == b"<svg/>"
