"""Whatever bytes a reader finds, it gives the value or an error that a user can act on. `make fuzz` does more of it."""

import pytest

from m2m.augment.intermediates import json_lines, mask_of, read_json_lines, read_people
from m2m.errors import InputError
from m2m.params import load
from m2m.parsing import parse_json, parse_yaml
from m2m.train.checkpoints import read
from tests.fuzz.readers import campaign
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_give_the_value_or_an_error_for_the_user(name):
    campaign(TARGETS[name], 12, seed=0)


def test_a_yaml_bomb_is_refused_and_what_is_shared_a_few_times_is_taken(tmp_path):
    levels = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    (tmp_path / "bomb.yaml").write_text("\n".join(levels) + "\naugment: {size: *i}\n")
    with pytest.raises(InputError, match="comes to more than 100000 values"):
        load("augment", params=tmp_path / "bomb.yaml")
    with pytest.raises(ValueError, match="brackets"):
        parse_yaml("[" * 50_000)
    assert parse_yaml("a: &a [1, 2]\nb: {<<: {c: *a}, d: *a}") == {"a": [1, 2], "b": {"c": [1, 2], "d": [1, 2]}}


@pytest.mark.parametrize(
    "text",
    [
        *("a: 2001-99-99", "a: !!python/object/apply:os.system [x]", "a: !!int x", "&a [*a]"),
        "augment: {detect: {score: 1" + "0" * 400 + "}}",
    ],
)
def test_a_yaml_value_that_is_none_is_an_error_for_the_user(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(InputError, match=r"params\.yaml"):
        load("augment", params=tmp_path / "params.yaml")


def test_json_that_is_nested_too_deeply_or_holds_no_number_is_refused():
    for text in ("[" * 100_000, '{"a": NaN}', "[Infinity]", '{"a": [-Infinity]}'):
        with pytest.raises(ValueError, match=r"nested|no number"):
            parse_json(text)


def test_what_unpacks_to_far_more_than_it_is_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("m2m.augment.intermediates.LONGEST_LINE", 1 << 16)
    with json_lines(tmp_path / "long.jsonl.gz") as write:
        write({"a": "x" * (1 << 20)})
    with pytest.raises(InputError, match=r"long\.jsonl\.gz is damaged"):
        list(read_json_lines(tmp_path / "long.jsonl.gz"))
    monkeypatch.setattr("m2m.augment.intermediates.MOST_LINES", 10)
    with json_lines(tmp_path / "many.jsonl.gz") as write:
        for t in range(20):
            write({"window": 0, "context": False, "frame": t})
    with pytest.raises(InputError, match="a window has 11 frames or more"):
        list(read_people(tmp_path / "many.jsonl.gz"))


@pytest.mark.parametrize("size", [[10**6, 10**6], [-1, -1], [0, 5], ["a", 3], [1.5, 2]])
def test_a_mask_of_no_possible_size_is_refused(size):
    with pytest.raises(ValueError, match="a mask of"):
        mask_of({"size": size, "counts": "0"})


def test_run_lengths_beyond_the_mask_are_refused():
    with pytest.raises(ValueError, match=r"RLE|runs of a mask"):
        mask_of({"size": [2, 2], "counts": "PPYg1"})


def test_a_checkpoint_that_runs_code_is_refused(tmp_path):
    (tmp_path / "evil.pt").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(InputError, match=r"evil\.pt is not a checkpoint"):
        read(tmp_path / "evil.pt")
