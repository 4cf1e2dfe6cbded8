"""Plots of a search: what is drawn where."""

import math
import re

from inkling.evaluation.curves import Point, best_so_far, cloud


def dots(drawing):
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawing)]


def test_the_line_of_the_best_never_falls():
    values = [0.2, 0.5, 0.3, 0.6]
    drawing = best_so_far([Point(float(n), value, f"trial {n}") for n, value in enumerate(values)], title="best")
    heights = [float(y) for y in re.findall(r"V([\d.]+)", re.search(r'<path d="(M[^"]+)" fill="none"', drawing)[1])]
    assert heights == sorted(heights, reverse=True)  # up is smaller
    assert heights[-1] == min(y for _, y in dots(drawing))
    assert len(dots(drawing)) == 4


def test_numbers_stand_in_order_and_by_magnitude_where_asked():
    points = [Point(x, 1.0, "") for x in (1.0, 10.0, 100.0)]
    left, middle, right = (x for x, _ in dots(cloud(points, title="l2", log=True)))
    assert math.isclose(middle - left, right - middle, abs_tol=0.2)
    left, middle, right = (x for x, _ in dots(cloud(points, title="l2")))
    assert right - middle > 5 * (middle - left)


def test_words_have_places_and_names_are_escaped():
    drawing = cloud([Point("a<b", 0.1, "x & y"), Point("c", 0.2, "", best=True)], title="kind")
    assert "a&lt;b" in drawing
    assert "x &amp; y" in drawing
    assert drawing.count('class="dot own"') == 1
    (first, low), (second, high) = dots(drawing)
    assert first < second
    assert low > high


def test_what_is_not_a_number_is_left_out():
    assert best_so_far([Point(0.0, math.nan, "")], title="") == ""
    assert cloud([Point(1.0, math.inf, "")], title="") == ""
    assert len(dots(cloud([Point(1.0, 0.5, ""), Point(2.0, math.nan, "")], title=""))) == 1
