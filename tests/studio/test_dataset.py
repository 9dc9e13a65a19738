import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from m2m.errors import InputError
from m2m.studio import ACTIONS, ClipSpec, StudioParams, draw_clip, draw_dataset
from m2m.studio.plan import planted_bias, specs
from m2m.studio.truth import TRUTH
from m2m.video import probe, read

SMALL = {"size": (160, 96), "fps": 8, "seconds": 1.0}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    out = tmp_path_factory.mktemp("studio")
    return out, draw_dataset(out, StudioParams(3, 2, seed=5, **SMALL))


def test_files_and_labels(dataset: tuple[Path, list[Path]]) -> None:
    out, videos = dataset
    labels = list(ACTIONS)[:3]
    assert [v.relative_to(out).as_posix() for v in videos] == [f"{x}/{x}_{i:03d}.mp4" for x in labels for i in (0, 1)]
    assert sorted(p.name for p in out.iterdir()) == sorted([TRUTH, *labels])
    for video in videos:
        truth = np.load(out / TRUTH / video.parent.name / f"{video.stem}.npz")
        assert (str(truth["label"]), str(truth["name"])) == (video.parent.name, video.stem)
        info = probe(video)
        assert (info.width, info.height, info.fps) == (160, 96, Fraction(8)) == (*truth["camera"][3:], truth["fps"][0])


def test_truth_is_what_was_drawn(dataset: tuple[Path, list[Path]]) -> None:
    out, _ = dataset
    for name, spec in specs(StudioParams(3, 2, 5, **SMALL)).items():
        clip, folder = draw_clip(spec), out / TRUTH / spec.label
        truth = np.load(folder / f"{name}.npz")
        assert np.array_equal(np.unpackbits(truth["masks"], axis=-1, count=160).astype(bool), clip.person_masks)
        for index, frame in enumerate(clip.bodies):
            assert np.nonzero(truth["visible"][index])[0].tolist() == [b.track for b in frame.bodies]
            for body in frame.bodies:
                assert np.array_equal(truth["poses"][index, body.track], body.pose)
                assert np.array_equal(truth["transl"][index, body.track], body.transl)
        if (folder / f"{name}.png").exists():
            picture = cv2.imread(str(folder / f"{name}.png"))[..., ::-1]
            plates = np.broadcast_to(picture, clip.plates.shape)
        else:
            plates = np.stack([f.image for f in read(folder / f"{name}.mkv")])
        assert np.array_equal(plates, clip.plates)
        shown = np.stack([f.image for f in read(out / spec.label / f"{name}.mp4")])
        assert np.abs(shown.astype(int) - clip.frames).mean() < 6


def test_same_seed_same_truth_to_the_byte(dataset: tuple[Path, list[Path]], tmp_path: Path) -> None:
    # Whether the same frames give the same bytes of H.264 is a matter of m2m.video.
    def files(root: Path) -> dict[Path, bytes]:
        return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    out, videos = dataset
    again = draw_dataset(tmp_path / "again", StudioParams(3, 2, seed=5, **SMALL))
    assert files(out / TRUTH) == files(tmp_path / "again" / TRUTH)
    assert [v.relative_to(out) for v in videos] == [v.relative_to(tmp_path / "again") for v in again]


def test_a_clip_does_not_depend_on_how_many_others_there_are() -> None:
    few, many = specs(StudioParams(2, 1, 9)), specs(StudioParams(5, 4, 9))
    assert few.items() <= many.items()
    assert len({s.seed for s in many.values()}) == 20


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not an empty folder"):
        draw_dataset(tmp_path, StudioParams())
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_plain_clips_show_one_large_person_before_a_still_camera():
    made = specs(StudioParams(classes=3, clips=4, plain=True)).values()
    assert {(s.persons, s.camera, s.clutter, s.enter) for s in made} == {(1, "still", False, False)}
    assert all(0.58 * 240 <= s.height <= 0.75 * 240 and abs(s.heading) <= 30 for s in made)


def test_the_number_of_workers_changes_no_byte(tmp_path):
    for workers in (1, 2):
        draw_dataset(tmp_path / str(workers), StudioParams(2, 1, size=(96, 64), seconds=0.2), workers)
    files = [
        {p.relative_to(r): p.read_bytes() for p in r.rglob("*") if p.is_file()} for r in sorted(tmp_path.iterdir())
    ]
    assert files[0] == files[1]


def test_backgrounds_tell_the_classes_as_often_as_planted():
    params = StudioParams(classes=5, clips=400, seed=3, scene_bias=True)
    planted, made = planted_bias(params), specs(params)
    assert sorted(planted.values()) == [0, 0.25, 0.5, 0.75, 1]
    for label, chance in planted.items():
        places = [s.place for s in made.values() if s.label == label]
        own = params.seed * 1000 + list(ACTIONS).index(label)
        assert np.mean([p == own for p in places]) == pytest.approx(chance + (1 - chance) / 5, abs=0.07)
    assert {s.place for s in specs(StudioParams(classes=5, clips=2)).values()} == {None}


def test_one_place_is_one_background_for_all(tmp_path):
    plain = {"size": (96, 64), "fps": Fraction(8), "seconds": 0.25, "camera": "still", "clutter": False}
    one, other = draw_clip(ClipSpec("wave", 1, place=7, **plain)), draw_clip(ClipSpec("kick", 2, place=7, **plain))
    assert np.array_equal(one.plates, other.plates) and not np.array_equal(one.frames, other.frames)
    assert not np.array_equal(one.plates, draw_clip(ClipSpec("wave", 1, place=8, **plain)).plates)
    draw_dataset(tmp_path / "out", StudioParams(2, 1, size=(96, 64), seconds=0.2, scene_bias=True))
    written = json.loads((tmp_path / "out" / TRUTH / "scene_bias.json").read_text())
    assert written == planted_bias(StudioParams(classes=2, scene_bias=True))
