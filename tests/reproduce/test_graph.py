"""What is shared is there once; what differs is another node."""

from pathlib import Path

import pytest
import yaml

from m2m.errors import InputError
from m2m.reproduce.experiment import read_experiment
from m2m.reproduce.graph import build_graph
from m2m.reproduce.scale import read_scale
from tests.reproduce.toyscale import write_experiment, write_scale


@pytest.fixture(scope="module")
def scale(tmp_path_factory) -> Path:
    return write_scale(tmp_path_factory.mktemp("scale"), draw=False)


def kinds(graph) -> dict[str, int]:
    found = [node.kind for node in graph.nodes.values()]
    return {kind: found.count(kind) for kind in set(found)}


def test_rows_share_what_they_have_in_common(scale, tmp_path):
    graph = build_graph([read_experiment(str(write_experiment(tmp_path)))], read_scale(str(scale)))
    # By seed: one pre-training for both rows, an alignment each, two sets each.
    assert kinds(graph) == {"fetch": 2, "pretrain": 2, "align": 4, "evaluate": 8}
    assert len(graph.cells) == 8 and len({cell.node for cell in graph.cells}) == 8


def test_tables_share_what_they_have_in_common(scale, tmp_path):
    one = read_experiment(str(write_experiment(tmp_path)))
    two = read_experiment(
        str(write_experiment(tmp_path, "again", rows={"both": {"pretrain": "a", "align": "a"}}, compare=[]))
    )
    alone, together = build_graph([one], read_scale(str(scale))), build_graph([one, two], read_scale(str(scale)))
    assert set(alone.nodes) == set(together.nodes) and len(together.cells) == len(alone.cells) + 4


def test_the_papers_tables_share_a_pretraining_and_the_augmentation():
    names = ("table1", "table2", "table3", "table4", "figure3")
    at = read_scale("studio")
    graph = build_graph([read_experiment(name) for name in names], at)
    m2m = [n for n in graph.nodes.values() if n.kind == "pretrain" and n.needs["data"] == graph.data["m2m"]]
    assert len(m2m) == len(at.seeds)  # of four experiments
    separate = sum(len(build_graph([read_experiment(name)], at).nodes) for name in names)
    assert len(graph.nodes) < separate


@pytest.mark.parametrize(
    ("section", "value", "same"),
    [
        ({"pretrain": {"lr": 0.123}}, "another rate", False),
        ({"model": {"width": 64}}, "another size", False),
        ({"pretrain": {"checkpoint_every": 7}}, "how often to save", True),
        ({"evaluate": {"micro_batch": 1}}, "how much fits into memory", True),
    ],
)
def test_the_key_covers_what_changes_a_figure_and_nothing_else(scale, tmp_path, section, value, same):
    experiment = read_experiment(str(write_experiment(tmp_path)))
    (tmp_path / "more.yaml").write_text(yaml.safe_dump({"params": section}))
    one = build_graph([experiment], read_scale(str(scale)))
    two = build_graph([experiment], read_scale(str(scale), tmp_path / "more.yaml"))
    last = [{cell.node for cell in graph.cells} for graph in (one, two)]
    assert (last[0] == last[1]) == same and (same or not last[0] & last[1])


def test_a_curve_evaluates_every_kept_model_and_the_last(scale, tmp_path):
    rows = {"a": {"pretrain": "a"}, "b": {"pretrain": "b"}}
    path = write_experiment(tmp_path, "curve", kind="curve", rows=rows, compare=[["a", "b"]])
    graph = build_graph([read_experiment(str(path))], read_scale(str(scale)))
    assert {(c.row, c.epoch) for c in graph.cells} == {("a", 1), ("a", 2), ("b", 1), ("b", 2)}
    epochs = sorted(n.work.get("epoch", 0) for n in graph.nodes.values() if n.kind == "evaluate")
    assert epochs.count(1) == epochs.count(0) == 8  # the last model is the pre-training's own


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"rows": {"both": {"pretrain": "nowhere", "align": "a"}}, "compare": []}, "needs the data set 'nowhere'"),
        ({"sets": ["three"]}, "tested on 'three'"),
        ({"rows": {"x": {"pretrain": "a", "recipe": "nothing"}}, "compare": []}, "unknown profile 'nothing'"),
    ],
)
def test_a_row_that_names_what_there_is_not_is_refused(scale, tmp_path, more, says):
    experiment = read_experiment(str(write_experiment(tmp_path, **more)))
    with pytest.raises(InputError, match=says):
        build_graph([experiment], read_scale(str(scale)))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"seeds": []}, "has no seeds"),
        ({"seeds": [0, 0]}, "each once"),
        ({"seeds": [-1]}, "whole numbers from 0"),
        ({"sets": {}}, "has no sets"),
        ({"data": {"x": {"folder": "y", "published": "0" * 64}}}, "folder and published"),
        ({"data": {"x": {"of": "y", "augment": {"size": "source"}}}}, "made of y, which there is not"),
        ({"data": {"x": {"of": "y", "plates": True}, "y": {"of": "x", "plates": True}}}, "made of itself"),
        ({"data": {"x": {"published": "abc"}}}, "64 hexadecimal"),
        ({"data": {"x": {"version": "v"}}}, "belong together"),
        ({"data": {"x": {}}}, "not none"),
        ({"params": {"nothing": {}}}, "no section 'nothing'"),
        ({"sets": {"one": {"title": "One"}}}, "has data, or test alone"),
    ],
)
def test_a_scale_that_is_wrong_is_named(tmp_path, more, says):
    with pytest.raises(InputError, match=says):
        read_scale(str(write_scale(tmp_path, draw=False, **more)))


def test_unknown_scales_rows_and_seeds_are_named(scale, tmp_path):
    with pytest.raises(InputError, match="known: paper, studio"):
        read_scale("moon")
    experiment = read_experiment(str(write_experiment(tmp_path)))
    with pytest.raises(InputError, match="no row 'nobody'; rows: both, other"):
        build_graph([experiment], read_scale(str(scale)), ("nobody",))
    assert {c.seed for c in build_graph([experiment], read_scale(str(scale), seeds=(5,))).cells} == {5}


def test_a_published_set_keeps_the_size_that_the_scale_knows_and_says_its_own(tmp_path):
    path = write_scale(tmp_path, draw=False, data={"a": {"wanted": "video", "clips": [9, 3]}, "b": {"wanted": "video"}})
    for given, clips in (({}, (9, 3)), ({"clips": [4, 2]}, (4, 2))):
        data = {"a": {"published": "0" * 64, **given}, "b": {"published": "1" * 64}}
        (tmp_path / "data.yaml").write_text(yaml.safe_dump({"data": data}))
        scale = read_scale(str(path), tmp_path / "data.yaml")
        assert scale.data["a"].clips == clips and scale.data["b"].clips == ()
