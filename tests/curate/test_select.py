"""A selection holds one class a cluster, the one the rule names, whatever the order of the clips."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.curate.params import CurateParams
from m2m.curate.select import (
    listed,
    read_list,
    read_selection,
    select,
    select_drawn,
    select_listed,
    write_selection,
)
from m2m.curate.swap import least_told_apart
from m2m.datasets.official import class_list
from m2m.errors import InputError


def clips(seed, sizes):
    """Vectors and labels of classes of some sizes."""
    rng = np.random.default_rng(seed)
    labels = [f"c{i}" for i, n in enumerate(sizes) for _ in range(n)]
    centres = rng.normal(size=(len(sizes), 6))
    return np.array([centres[int(label[1:])] + 0.5 * rng.normal(size=6) for label in labels]), labels


sizes = st.lists(st.integers(1, 6), min_size=1, max_size=9).filter(lambda n: max(n) > 1)
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


@given(seeds, sizes, st.sampled_from(["bias-aug", "kmeans", "bias-1d", "resound-swap"]), st.randoms())
@settings(max_examples=25, deadline=None)
def test_neither_order_nor_lengths_nor_names_with_the_same_order_matter(seed, counts, method, random):
    vectors, labels = clips(seed, counts)
    params = CurateParams(classes=max(1, len(counts) // 2), starts=2, method=method)
    first = select(vectors, labels, params)
    order = random.sample(range(len(labels)), len(labels))
    assert select(vectors[order], [labels[i] for i in order], params) == first
    longer = vectors * np.random.default_rng(seed).uniform(0.1, 9, (len(labels), 1))
    assert select(longer, labels, params).selected == first.selected
    renamed = select(vectors, [f"x {label}" for label in labels], params)
    assert renamed.selected == tuple(f"x {label}" for label in first.selected)


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3).filter(any), min_size=4, max_size=8),
    st.integers(1, 3),
    st.sampled_from(["bias-aug", "kmeans", "bias-1d", "resound-swap"]),
    st.sampled_from(["most-videos", "min-bias", "medoid"]),
    st.randoms(),
)
@settings(max_examples=60, deadline=None)
def test_neither_does_order_where_everything_is_a_tie(points, twice, method, rule, random):
    """Classes of equally many clips, some of them with the same clips as another, and cosines that are equal."""
    labels = [f"c{i}" for i in range(len(points)) for _ in range(twice + 1)]
    vectors = np.repeat(np.array(points, float), twice + 1, axis=0)
    vectors[:: twice + 1] = vectors[0]  # one clip of each class is the same
    params = CurateParams(classes=len(points) // 2, starts=2, method=method, representative=rule)
    first = select(vectors, labels, params)
    order = random.sample(range(len(labels)), len(labels))
    assert select(vectors[order], [labels[i] for i in order], params) == first


def test_kmeans_is_bias_aug_without_weight_and_still_tells_the_bias():
    vectors, labels = clips(5, [4] * 8)
    plain = select(vectors, labels, CurateParams(classes=3, method="kmeans", weight=7.0))
    assert plain.classes == select(vectors, labels, CurateParams(classes=3, weight=0.0)).classes
    assert all(r.bias is not None for r in plain.classes) and plain.bias_explained is not None


def test_bias_1d_looks_at_the_bias_alone():
    """Two scenes, each shown by half of the classes; half of each are told by every frame, the others by none."""
    rng = np.random.default_rng(0)
    labels, vectors = [], []
    for i in range(8):
        scene = np.eye(10)[8 + i % 2] * 2
        own = np.eye(10)[i] * (i < 4)
        vectors += [scene + own + 0.1 * rng.normal(size=10) for _ in range(30)]
        labels += [f"c{i}"] * 30
    found = select(np.array(vectors), labels, CurateParams(classes=2, method="bias-1d"))
    assert [r.cluster for r in found.classes] == [0] * 4 + [1] * 4
    assert found.bias_explained > 0.9 > found.look_explained
    by_look = select(np.array(vectors), labels, CurateParams(classes=2, method="kmeans"))
    assert [r.cluster for r in by_look.classes] == [0, 1] * 4
    assert by_look.look_explained > found.look_explained


@given(seeds, st.integers(2, 8), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_swaps_find_the_subset_that_trying_all_finds(seed, n, k):
    k = min(k, n)
    pairs = np.random.default_rng(seed).uniform(size=(n, n))
    chosen, accuracy = least_told_apart(pairs, k, seed, starts=30)

    def mean(subset):
        return np.mean([pairs[i, j] for i in subset for j in subset if i != j]) if k > 1 else 0.5

    assert len(set(chosen.tolist())) == k and accuracy == pytest.approx(mean(chosen))
    assert accuracy == pytest.approx(min(mean(s) for s in combinations(range(n), k)))


def test_resound_swap_leaves_out_what_one_frame_tells():
    rng = np.random.default_rng(2)
    own = np.repeat(np.arange(6), 40)
    vectors = np.eye(6)[own] * (np.arange(6) >= 3)[own][:, None] * 3 + rng.normal(size=(240, 6))
    found = select(vectors, [f"c{i}" for i in own], CurateParams(classes=3, method="resound-swap"))
    assert found.selected == ("c0", "c1", "c2") and 0.4 < found.objective < 0.6
    assert all(r.cluster is None and r.bias is not None for r in found.classes)


@given(st.sets(st.from_regex(r"[a-z]{1,5}", fullmatch=True), min_size=2, max_size=20), st.integers(0, 50))
def test_a_draw_is_of_k_classes_and_a_new_class_takes_one_place_at_most(names, seed):
    counts = dict.fromkeys(names, 1)
    params = CurateParams(method="random", classes=len(names) // 2, seed=seed)
    drawn = select_drawn(counts, params).selected
    assert len(drawn) == len(names) // 2
    grown = select_drawn({**counts, "zzzzzz": 1}, params).selected
    assert len(set(drawn) - set(grown)) <= 1


def test_published_lists_are_known_by_name():
    counts = dict.fromkeys((*class_list("published"), *class_list("synapt"), "air_quotes"), 3)
    for method in ("published", "synapt"):
        params = CurateParams(method=method)
        found = select_listed(counts, listed(params), params)
        assert len(found.selected) == 150 and found.selected == tuple(sorted(class_list(method)))
    underscored = {name.replace(" ", "_").title(): 1 for name in counts}
    assert len(select_listed(underscored, listed(params), params).selected) == 150
    with pytest.raises(InputError, match="the list synapt names 150 of 150 classes that the data set does not have"):
        select_listed({"walk": 1}, listed(params), params)


def test_what_cannot_be_judged_is_refused():
    vectors, labels = clips(0, [3, 3, 3])
    params = CurateParams(classes=2)
    with pytest.raises(InputError, match="'A b' and 'a_b' have one name"):
        select(vectors, ["A b"] * 3 + ["a_b"] * 3 + ["c"] * 3, params)
    vectors[4, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        select(vectors, labels, params)
    single, names = clips(0, [1, 1, 1])
    for bad in (params, replace(params, method="bias-1d"), replace(params, method="kmeans", representative="min-bias")):
        with pytest.raises(InputError, match="every class has one clip"):
            select(single, names, bad)
    assert len(select(single, names, replace(params, method="kmeans")).selected) == 2
    one, names = clips(0, [1, 4, 4])
    assert select(one, names, params).classes[0].bias == 0, "a class of one clip has no evidence"


def test_too_few_classes_are_refused_with_both_numbers():
    vectors, labels = clips(0, [3, 3])
    with pytest.raises(InputError, match=r"has 2 classes and 150 are to be selected; set curate\.classes to 2 or less"):
        select(vectors, labels, CurateParams())


def test_vectors_that_cancel_out_are_refused():
    with pytest.raises(InputError, match="none zero"):
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
    (tmp_path / "selection.json").write_text('{"schema": 1}')
    with pytest.raises(InputError, match="schema 1"):
        read_selection(tmp_path / "selection.json")
    (tmp_path / "selection.json").write_text("[]")
    with pytest.raises(InputError, match="not a selection"):
        read_selection(tmp_path / "selection.json")


@pytest.mark.parametrize(
    "values",
    [
        {"classes": 0}, {"method": "x"}, {"weight": -1.0}, {"weight": float("inf")}, {"representative": "x"},
        {"encoder": "x"}, {"frame": "x"}, {"batch": 0}, {"list": "a.txt"}, {"method": "list"}, {"starts": 0},
        {"seed": -1},
    ],
)  # fmt: skip
def test_parameters_out_of_range_are_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        CurateParams(**values)
