"""What the figures of trainings show."""

import re

from m2m.report.figures import confusion, curves


def rows(**figures):
    """Rows of epochs 1, 2, ... with a figure where it is not None."""
    n = len(next(iter(figures.values())))
    return [{"epoch": i + 1.0, **{k: v[i] for k, v in figures.items() if v[i] is not None}} for i in range(n)]


def test_an_epoch_that_was_not_validated_keeps_its_place_on_the_axis():
    sparse = rows(top1=[None, None, None, 0.2, None, None, None, 0.4])
    dense = rows(top1=[0.2, None, None, None, None, None, None, 0.4])
    assert curves({"a": [sparse]}, "top1", "top-1") == curves({"a": [sparse[3:]]}, "top1", "top-1")
    assert curves({"a": [sparse]}, "top1", "top-1") != curves({"a": [dense]}, "top1", "top-1")


def test_seeds_are_one_line_with_a_band():
    seeds = [rows(loss=[3.0, 1.0]), rows(loss=[1.0, 1.0])]
    picture = curves({"set": seeds}, "loss", "loss")
    assert picture.count(">set<") == 1
    assert "FillBetweenPolyCollection" in picture
    line = curves({"set": [rows(loss=[2.0, 1.0])]}, "loss", "loss")
    assert "FillBetweenPolyCollection" not in line

    def last_line(svg):
        return re.findall(r'<g id="line2d_\d+">\s*<path d="([^"]+)" clip-path', svg)[-1]

    assert last_line(curves({"set": [rows(loss=[2.0, 1.0])] * 2}, "loss", "loss")) == last_line(line)


def test_nothing_to_draw_is_no_figure():
    assert curves({"set": [rows(loss=[1.0])]}, "top1", "top-1") == ""
    assert curves({}, "loss", "loss") == ""


def test_a_confusion_matrix_names_classes_and_counts():
    picture = confusion([[7, 1], [0, 5]], ["jump", "bow & arrow"], "title")
    assert "bow &amp; arrow" in picture and ">7<" in picture and ">0<" not in picture
