"""Plots are well-formed SVG and survive numbers that are none."""

from __future__ import annotations

from xml.etree import ElementTree

from inkling.evaluation.charts import Bar, Dot, bars, scatter

NAN = float("nan")


def test_bars_are_as_long_as_their_values():
    drawing = ElementTree.fromstring(
        bars([Bar("a & b", 0.5, 0.4, 0.6, own=True), Bar("c", 0.25, 0.2, 0.3)], title="<t>")
    )
    widths = [float(rect.get("width")) for rect in drawing.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[0] == 2 * widths[1] > 0
    assert drawing.get("aria-label") == "<t>"


def test_a_group_without_people_draws_an_empty_bar():
    drawing = bars([Bar("a", NAN, NAN, NAN)], title="t")
    assert "no one" in drawing
    assert ElementTree.fromstring(drawing) is not None


def test_faster_is_further_left_and_better_is_higher():
    dots = [Dot("slow", 10.0, 0.1), Dot("fast", 0.1, 0.3), Dot("unknown", NAN, 0.2)]
    drawing = ElementTree.fromstring(scatter(dots, title="t", x_name="ms", y_name="ndcg"))
    fast, slow = drawing.iter("{http://www.w3.org/2000/svg}circle")
    assert float(fast.get("cx")) < float(slow.get("cx"))
    assert float(fast.get("cy")) < float(slow.get("cy"))


def test_nothing_to_draw():
    assert scatter([Dot("a", NAN, 0.1)], title="t", x_name="ms", y_name="ndcg") == ""
