from pathlib import Path

import pytest

from m2m.attack.laboratory import VARIANTS, Laboratory, build
from m2m.attack.people import read_people
from m2m.clips import scan
from m2m.errors import InputError

SMALL = Laboratory(people=4, actions=("bow",), clips=2, places=3, seconds=0.2, fps=5)


def test_what_is_drawn_once_is_not_drawn_again_and_another_laboratory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def augment(source: Path, out: Path, variants: tuple[str, ...], **_: object) -> dict[str, Path]:
        asked.append((source, variants))
        return {v: out / v for v in variants}

    monkeypatch.setattr("m2m.augment.variants.augment_variants", augment)
    (tmp_path / ".m2m" / "drawing" / "bow").mkdir(parents=True)  # of a run that was stopped
    said: list[str] = []
    datasets, people = build(SMALL, tmp_path, say=said.append)
    assert [d.name for d in datasets] == list(VARIANTS) and asked == [(tmp_path / "clips", VARIANTS)]
    known = read_people(people)
    assert known.clip_ids == tuple(c.clip_id for c in scan(tmp_path / "clips")) and len(known.clip_ids) == 8
    assert len(set(known.persons.tolist())) == 4 and known.clothes is not None
    build(SMALL, tmp_path, say=said.append)
    assert said == ["drawing"]
    with pytest.raises(InputError, match="another laboratory"):
        build(Laboratory(people=5), tmp_path)
