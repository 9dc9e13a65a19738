"""Artifacts say what they are, and a stage takes no other."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from m2m.artifacts import SCHEMA, opened, stamp
from m2m.errors import InputError


@dataclass
class Toy:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    clips: int
    where: Path
    reasons: tuple[str, ...]


def test_what_is_stamped_is_accepted_by_its_receiver(tmp_path):
    (tmp_path / "records.json").write_text("{}")
    artifact = Toy(str(tmp_path))
    stamp(artifact, "people", Figures(3, Path("/a"), ("verifier",)), shard=2)
    assert artifact.metadata == {
        "m2m_kind": "people",
        "m2m_schema": SCHEMA,
        "clips": 3,
        "where": "/a",
        "reasons": ["verifier"],
        "shard": 2,
    }
    assert opened(artifact, "people") == tmp_path


def test_another_kind_or_none_is_refused(tmp_path):
    artifact = Toy(str(tmp_path))
    with pytest.raises(InputError, match="reads a plates artifact and was given one without a kind"):
        opened(artifact, "plates")
    stamp(artifact, "people")
    with pytest.raises(InputError, match="reads a plates artifact and was given people"):
        opened(artifact, "plates")


def test_another_schema_is_refused_and_a_float_of_the_same_is_not(tmp_path):
    (tmp_path / "x").touch()
    artifact = Toy(str(tmp_path))
    stamp(artifact, "people")
    artifact.metadata["m2m_schema"] = float(SCHEMA)
    assert opened(artifact, "people") == tmp_path
    artifact.metadata["m2m_schema"] = SCHEMA + 1
    with pytest.raises(InputError, match="has schema"):
        opened(artifact, "people")


@pytest.mark.parametrize("there", [False, True])
def test_a_missing_or_empty_input_is_an_error_and_not_an_empty_data_set(tmp_path, there):
    folder = tmp_path / "input"
    if there:
        folder.mkdir()
    artifact = Toy(str(folder))
    stamp(artifact, "dataset")
    with pytest.raises(InputError, match="is empty"):
        opened(artifact, "dataset")


def test_an_unknown_kind_is_a_mistake_of_the_code(tmp_path):
    with pytest.raises(ValueError, match="unknown kind"):
        stamp(Toy(str(tmp_path)), "clips")
