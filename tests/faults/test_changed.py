"""Sources and manifests that change under a run: nothing is released under the hash of other bytes."""

import functools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from m2m import clips, work
from m2m.augment import build, dataset
from m2m.augment.bodies import FrameBodies
from m2m.augment.chain import Composed
from m2m.augment.people import FramePeople
from m2m.clips import Clip, read_manifest, write_manifest
from m2m.errors import QuarantineError
from m2m.files import file_sha256
from m2m.params import AugmentParams
from m2m.video import Writer
from m2m.workers import _do

SIZE = (64, 48)


def write(path: Path, level: int) -> Path:
    with Writer(path, SIZE, Fraction(12)) as writer:
        for i in range(6):
            writer.write(np.full((48, 64, 3), level + i, np.uint8))
    return path


class Passing:
    """A chain that does nothing but what it is told at the third frame."""

    def __init__(self, then=lambda: None):
        self._then = then

    def run(self, frames, tally, stretch=1.0):
        for i, image in enumerate(frames):
            if i == 3:
                self._then()
            tally.frames += 1
            nobody = np.zeros(image.shape[:2], bool)
            yield Composed(image, image, image, nobody, FramePeople((), nobody), FrameBodies(()))


@pytest.fixture
def in_this_process(monkeypatch):
    """Runs do their items here, one after the other, with a chain that does nothing."""

    def run(make_task, items, *, out, **_):
        task = make_task()
        return [_do(task, item, out) for item in items]

    monkeypatch.setattr(work, "run", run)
    monkeypatch.setattr(build, "make_chain", lambda _: Passing())
    monkeypatch.setattr(dataset, "write_report", lambda *_: None)


def test_a_source_that_is_replaced_while_it_is_read_is_not_released(tmp_path, monkeypatch):
    source, other = write(tmp_path / "a.mp4", 40), write(tmp_path / "other.mp4", 90)
    clip = Clip("a", str(source), sha256=file_sha256(source))
    monkeypatch.setattr(build, "make_chain", lambda _: Passing(lambda: other.replace(source)))
    augmenter = dataset.ClipAugmenter(AugmentParams(size="source"), tmp_path / "out")
    with pytest.raises(QuarantineError, match="changed since it was hashed") as caught:
        augmenter(dataset.Job(clip, source))
    assert caught.value.reason == "error", "the next run must try again"
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


@pytest.mark.usefixtures("in_this_process")
def test_a_clip_that_changed_after_its_manifest_was_written_is_refused_until_it_is_put_right(tmp_path):
    folder = tmp_path / "in"
    rows = []
    for name in ("a", "b"):
        path = write(folder / "videos" / f"{name}.mp4", 40)
        rows.append(Clip(name, f"videos/{name}.mp4", sha256=file_sha256(path)))
    write_manifest(rows, folder / clips.MANIFEST)
    before = (folder / "videos/a.mp4").read_bytes()
    write(folder / "videos/a.mp4", 90)
    augment = functools.partial(dataset.augment, folder, tmp_path / "out", AugmentParams(size="source"))
    assert list(augment().quarantined) == ["a"]
    assert [p.name for p in (tmp_path / "out/videos").iterdir()] == ["b.mp4"]
    (folder / "videos/a.mp4").write_bytes(before)
    assert not augment().quarantined


@pytest.mark.usefixtures("in_this_process")
def test_a_manifest_that_is_edited_under_way_does_not_matter_to_the_run(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    path = write(folder / "videos/a.mp4", 40)
    row = Clip("a", "videos/a.mp4", "wave", sha256=file_sha256(path))
    write_manifest([row], folder / clips.MANIFEST)

    def edit():
        other = Clip("b", "videos/b.mp4", "walk", sha256="0" * 64)
        write_manifest([other], folder / clips.MANIFEST)

    monkeypatch.setattr(build, "make_chain", lambda _: Passing(edit))
    dataset.augment(folder, tmp_path / "out", AugmentParams(size="source"))
    (made,) = read_manifest(tmp_path / "out" / clips.MANIFEST)
    assert (made.clip_id, made.label, made.status) == ("a", "wave", "ok")
