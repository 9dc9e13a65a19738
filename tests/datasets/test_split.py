"""Splits and caps come from hashes: exact counts, no order, little change when a clip is added."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.clips import Clip
from m2m.datasets.params import IngestParams
from m2m.datasets.split import assign, canonical_split, cap, val_count

names = st.sets(st.from_regex(r"[a-z0-9_]{1,6}", fullmatch=True), min_size=1, max_size=30)
shares = st.floats(0, 0.95)


def clips(ids, labels="ab"):
    return [Clip(i, f"{i}.mp4", label=labels[k % len(labels)]) for k, i in enumerate(sorted(ids))]


def by_id(rows):
    return {c.clip_id: c.split for c in rows}


@given(names, shares, st.integers(0, 5), st.randoms())
def test_counts_are_exact_in_each_class_whatever_the_order(ids, share, seed, random):
    rows = clips(ids)
    shuffled = random.sample(rows, len(rows))
    out = assign(shuffled, share, seed)
    assert out == assign(rows, share, seed)
    assert [c.clip_id for c in out] == sorted(ids)
    for label, n in Counter(c.label for c in rows).items():
        found = Counter(c.split for c in out if c.label == label)
        assert found["val"] == val_count(n, share)
        if share:
            assert abs(found["val"] - n * share) <= 1
        if n > 1 and share:
            assert found["val"] and found["train"]


@given(names, shares, st.from_regex(r"[a-z0-9_]{7}", fullmatch=True))
def test_a_clip_that_is_added_moves_at_most_one_other_of_its_class(ids, share, extra):
    rows = clips(ids)
    new = Clip(extra, "new.mp4", label="a")
    before, after = by_id(assign(rows, share, 0)), by_id(assign([*rows, new], share, 0))
    moved = [i for i in before if before[i] != after[i]]
    assert len(moved) <= 1
    assert all(c.label == "a" for c in rows if c.clip_id in moved)


def test_a_named_split_stays_and_another_seed_is_another_draw():
    rows = [Clip(f"c{i:02}", "", label="a", split="test" if i < 5 else "") for i in range(60)]
    out = by_id(assign(rows, 0.5, 0))
    assert [out[f"c{i:02}"] for i in range(5)] == ["test"] * 5
    assert Counter(out.values()) == {"test": 5, "val": 28, "train": 27}
    assert out != by_id(assign(rows, 0.5, 1))


@given(names, st.integers(1, 8), st.from_regex(r"[a-z0-9_]{7}", fullmatch=True))
def test_a_cap_keeps_as_many_as_it_may_and_changes_one_when_a_clip_is_added(ids, limit, extra):
    rows = clips(ids)
    kept = cap(rows[::-1], limit, 0)
    want = {label: min(n, limit) for label, n in Counter(c.label for c in rows).items()}
    assert Counter(c.label for c in kept) == want
    assert kept == cap(rows, limit, 0)
    grown = cap([*rows, Clip(extra, "new.mp4", label="a")], limit, 0)
    assert len({c.clip_id for c in kept} - {c.clip_id for c in grown}) <= 1


def test_a_cap_counts_each_split_of_the_source_apart():
    rows = [Clip(f"{split}{i}", "", label="a", split=split) for split in ("train", "val") for i in range(9)]
    assert Counter(c.split for c in cap(rows, 4, 0)) == {"train": 4, "val": 4}


def test_splits_get_the_names_that_later_stages_know():
    assert [canonical_split(s) for s in ("Training", "valid", "VALIDATION", "testing", "train", "", "Fold1")] == [
        "train", "val", "val", "test", "train", "", "fold1"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "values", [{"shards": 0}, {"val_share": 1.0}, {"val_share": -0.1}, {"max_per_class": 0}, {"seed": -1}]
)
def test_parameters_out_of_range_are_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        IngestParams(**values)
