"""Experiments as data: those that come with M2M, and what is refused."""

import csv
from importlib import resources

import pytest

from m2m.errors import InputError
from m2m.reproduce.experiment import names, read_experiment
from m2m.reproduce.graph import build_graph
from m2m.reproduce.scale import read_scale
from tests.reproduce.toyscale import write_experiment


def test_all_tables_and_the_figure_come_with_m2m():
    assert names() == ("figure3", "table1", "table2", "table3", "table4")


@pytest.mark.parametrize("scale", ["studio", "paper"])
@pytest.mark.parametrize("name", names())
def test_every_experiment_can_be_planned_at_every_scale(name, scale):
    experiment, at = read_experiment(name), read_scale(scale)
    graph = build_graph([experiment], at)
    rows = at.rows(experiment)
    cells = {(c.row, c.set, c.protocol, c.seed) for c in graph.cells}
    assert len(cells) == len(rows) * len(experiment.sets) * len(experiment.protocols) * len(at.seeds)
    assert len(at.seeds) >= 3
    order = list(graph.nodes)
    assert all(order.index(k) < order.index(key) for key, node in graph.nodes.items() for k in node.needs.values())


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4"])
def test_every_printed_row_of_the_paper_is_a_row_here(name):
    file = resources.files("m2m.report") / "reported" / f"{name}.csv"
    printed = {row["row"] for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())}
    assert printed == {row.reported for row in read_experiment(name).rows.values()} - {""}


def test_the_rows_that_the_paper_lacks_are_there():
    assert {"real_knexus", "blur", "pixelate", "blackout", "m2m_random"} <= set(read_experiment("table1").rows)
    assert read_experiment("table4").rows["align_true_plates"].align == "true_plates"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"rows": {}}, "rows must be one or more"),
        ({"rows": {"a": {}}}, "pre-trained or aligned"),
        ({"rows": {"a": {"pretrain": "a", "allign": "b"}}}, "unknown key 'rows.a.allign'"),
        ({"rows": {"a": {"pretrain": "a", "also": "b"}}, "compare": []}, "also is a second"),
        ({"rows": ["a"]}, "rows must be"),
        ({"compare": [["both", "nobody"]]}, "no row 'nobody'"),
        ({"compare": [["both"]]}, "compare"),
        ({"baseline": "nobody"}, "no row 'nobody'"),
        ({"sets": []}, "sets must be one or more"),
        ({"sets": ["one", "one"]}, "each once"),
        ({"protocols": ["xt"]}, "any of ft, lp"),
        ({"kind": "pie"}, "kind is one of"),
        ({"kind": "curve"}, "a curve is of pre-trainings alone"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, more, says):
    with pytest.raises(InputError, match=says):
        read_experiment(str(write_experiment(tmp_path, **more)))


@pytest.mark.parametrize("name", ["table9", "../table1", "nowhere.yaml"])
def test_an_unknown_experiment_is_named(name):
    with pytest.raises(InputError, match=r"there is no experiment|cannot read"):
        read_experiment(name)
