"""What a data set gives to training, and what it must not be."""

from dataclasses import replace
from pathlib import Path

import pytest

from m2m.clips import Clip, read_card, read_manifest
from m2m.errors import InputError
from m2m.train.clips import check_labels, open_set
from tests.train.toysets import rewrite


@pytest.fixture
def edited(toys, tmp_path):
    """A copy of the toys with other rows."""

    def edit(change) -> Path:
        (tmp_path / "videos").symlink_to(toys / "videos")
        rewrite(tmp_path, [c for c in map(change, read_manifest(toys / "clips.parquet")) if c])
        return tmp_path

    return edit


def test_splits_and_classes(toys):
    data = open_set(toys)
    assert data.classes == ("down", "right") and (data.name, data.variant) == ("toys", "m2m")
    assert [c.clip_id for c in data.val] == ["down_4", "down_5", "right_4", "right_5"]
    assert len(data.train) == 8 and {data.number(c) for c in data.train} == {0, 1}
    check_labels(data, held_out=True)


def test_other_labels_are_another_data_set(toys, edited):
    other = open_set(edited(lambda c: replace(c, label="up" if c.label == "down" else c.label)))
    assert other.hash != open_set(toys).hash == read_card(toys).hash


def test_without_splits_all_clips_are_trained_on(edited):
    data = open_set(edited(lambda c: replace(c, split="")))
    assert len(data.train) == 12 and not data.val


def test_val_goes_before_test_and_test_serves_without_it(edited):
    data = open_set(edited(lambda c: replace(c, split="test" if c.split == "val" else "train")))
    assert len(data.val) == 4


def test_a_quarantined_clip_is_not_read_and_its_class_is_not_forgotten(edited):
    data = open_set(edited(lambda c: replace(c, status="quarantined", path="") if c.label == "down" else c))
    assert data.classes == ("down", "right")
    with pytest.raises(InputError, match=r"class 'down' .* no clip in the split train"):
        check_labels(data, held_out=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: replace(c, split="train"), "no clip to test on"),
        (lambda c: replace(c, label="down"), "1 class"),
        (lambda c: None if c.split == "val" and c.label == "right" else c, "class 'right' .* split val"),
        (lambda c: replace(c, label="") if c.clip_id == "down_1" else c, "down_1 .* has no label"),
    ],
)
def test_what_cannot_be_evaluated_is_named(edited, change, message):
    with pytest.raises(InputError, match=message):
        check_labels(open_set(edited(change)), held_out=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: replace(c, split="val"), "no clip to train on"),
        (lambda c: replace(c, path="videos/gone.mp4") if c.clip_id == "down_1" else c, "gone.mp4 is missing"),
        (lambda c: replace(c, n_frames=0) if c.clip_id == "down_1" else c, "how long down_1 is"),
    ],
)
def test_what_cannot_be_trained_on_is_named(edited, change, message):
    with pytest.raises(InputError, match=message):
        open_set(edited(change))


def test_clip_rows_are_what_the_manifest_has(toys):
    assert all(isinstance(c, Clip) and c.n_frames == 12 for c in open_set(toys).train)
