"""A selection holds one class a cluster, the one the rule names, whatever the order of the clips."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.curate.params import CurateParams
from m2m.curate.select import read_list, read_selection, select, select_listed, write_selection
from m2m.errors import InputError


def clips(seed, sizes):
    """Vectors and labels of classes of some sizes."""
    rng = np.random.default_rng(seed)
    labels = [f"c{i}" for i, n in enumerate(sizes) for _ in range(n)]
    centres = rng.normal(size=(len(sizes), 6))
    return np.array([centres[int(label[1:])] + 0.5 * rng.normal(size=6) for label in labels]), labels


sizes = st.lists(st.integers(1, 6), min_size=1, max_size=9)
seeds = st.integers(0, 10**6)


@given(seeds, sizes, st.integers(1, 9), st.floats(0, 4), st.sampled_from(["most-videos", "min-bias", "medoid"]))
@settings(max_examples=40, deadline=None)
def test_one_class_a_cluster_by_the_rule(seed, counts, k, weight, rule):
    k = min(k, len(counts))
    vectors, labels = clips(seed, counts)
    selection = select(vectors, labels, CurateParams(classes=k, weight=weight, representative=rule, starts=2))
    assert [r.label for r in selection.classes] == sorted(set(labels))
    assert {r.label: r.clips for r in selection.classes} == Counter(labels)
    assert len(selection.selected) == len(set(selection.selected)) == k
    keys = {"most-videos": lambda r: -r.clips, "min-bias": lambda r: r.bias, "medoid": lambda r: r.distance}
    for number in range(k):
        members = [r for r in selection.classes if r.cluster == number]
        (chosen,) = [r for r in members if r.selected]
        assert keys[rule](chosen) == min(map(keys[rule], members))
        ties = [r.label for r in members if keys[rule](r) == keys[rule](chosen)]
        if rule == "most-videos":
            assert chosen.label == min(ties)
    if k == len(counts):
        assert set(selection.selected) == set(labels)


@given(seeds, sizes, st.randoms())
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_clips_does_not_matter(seed, counts, random):
    vectors, labels = clips(seed, counts)
    params = CurateParams(classes=max(1, len(counts) // 2), starts=2)
    order = random.sample(range(len(labels)), len(labels))
    assert select(vectors[order], [labels[i] for i in order], params).classes == select(vectors, labels, params).classes


def test_kmeans_is_bias_aug_without_weight_and_still_tells_the_bias():
    vectors, labels = clips(5, [4] * 8)
    plain = select(vectors, labels, CurateParams(classes=3, method="kmeans", weight=7.0))
    assert plain.classes == select(vectors, labels, CurateParams(classes=3, weight=0.0)).classes
    assert all(r.bias is not None for r in plain.classes) and plain.bias_share == 0


def test_too_few_classes_are_refused_with_both_numbers():
    vectors, labels = clips(0, [3, 3])
    with pytest.raises(InputError, match=r"has 2 classes and 150 are to be selected; set curate\.classes to 2 or less"):
        select(vectors, labels, CurateParams())


def test_vectors_that_cancel_out_are_refused():
    with pytest.raises(InputError, match="cannot be clustered"):
        select(np.array([[1.0, 0], [-1, 0], [0, 1]]), ["a", "a", "b"], CurateParams(classes=1))


def test_a_list_selects_what_it_names(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text("# ours\nwave\n\n  walk  \n")
    params = CurateParams(method="list", list=str(file))
    counts = {"walk": 3, "wave": 2, "kick": 1}
    selection = select_listed(counts, read_list(file), params, "parent")
    assert selection.selected == ("walk", "wave")
    assert next((r.label, r.clips, r.why) for r in selection.classes) == ("kick", 1, "not on the list")
    write_selection(selection, tmp_path / "selection.json")
    assert read_selection(tmp_path / "selection.json") == selection
    for names, message in ((["walk", "jump"], "1 of 2 classes.*'jump'"), ([], "no class"), (["a", "a"], "twice")):
        with pytest.raises(InputError, match=message):
            select_listed(counts, names, params)
    with pytest.raises(InputError, match="cannot read"):
        read_list(tmp_path / "none.txt")


def test_a_selection_comes_back_as_it_was_written(tmp_path):
    vectors, labels = clips(1, [3, 4, 5])
    selection = select(vectors, labels, CurateParams(classes=2), encoder="embedded-1", parent="abc")
    write_selection(selection, tmp_path / "selection.json")
    assert read_selection(tmp_path / "selection.json") == selection
    (tmp_path / "selection.json").write_text('{"schema": 2}')
    with pytest.raises(InputError, match="schema 2"):
        read_selection(tmp_path / "selection.json")
    (tmp_path / "selection.json").write_text("[]")
    with pytest.raises(InputError, match="not a selection"):
        read_selection(tmp_path / "selection.json")


@pytest.mark.parametrize(
    "values",
    [
        {"classes": 0}, {"method": "x"}, {"weight": -1.0}, {"weight": float("inf")}, {"representative": "x"},
        {"encoder": "x"}, {"list": "a.txt"}, {"method": "list"}, {"starts": 0}, {"seed": -1},
    ],
)  # fmt: skip
def test_parameters_out_of_range_are_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        CurateParams(**values)
