import csv
import json
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from m2m.cli import main
from m2m.clips import scan
from m2m.errors import InputError
from m2m.studio import ACTIONS, ClipSpec, StudioParams, draw_clip, draw_dataset
from m2m.studio.backgrounds import CAMERAS, SCENES
from m2m.studio.clip import clothed
from m2m.studio.plan import plan, planted_bias, specs
from m2m.studio.truth import TRUTH
from m2m.video import Writer, probe, read

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
        params = StudioParams(2, 1, size=(96, 64), seconds=0.2, test_clips=1, attributes={"clothes": 0.5})
        draw_dataset(tmp_path / str(workers), params, workers)
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


LAB = {"bias": 0.5, "attributes": {"gender": 1.0}, "test_clips": 1, "reversed": True, "occluders": 0.5}
TINY = {"size": (96, 64), "fps": 4, "seconds": 0.5, "seed": 1}


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudioParams]:
    out, params = tmp_path_factory.mktemp("lab") / "lab", StudioParams(2, 2, **LAB, **TINY)
    draw_dataset(out, params)
    return out, params


def test_tables_of_a_laboratory(lab: tuple[Path, StudioParams]) -> None:
    out, params = lab
    made = {e.clip_id: e for e in plan(params)}
    scanned = scan(out / "clips.csv")
    assert {c.clip_id: (c.label, c.split) for c in scanned} == {i: (e.spec.label, e.split) for i, e in made.items()}
    assert [c.clip_id for c in scan(out)] == [c.clip_id for c in scanned]
    rows = {r["clip_id"]: r for r in csv.DictReader((out / TRUTH / "attributes.csv").open())}
    assert list(rows) == list(made) and all(all(r.values()) for r in rows.values())
    for i, entry in made.items():
        row, who = rows[i], entry.spec.identity
        assert who is not None and (row["gender"], row["build"]) == (who.gender, who.build)
        assert (row["own"], row["place"]) == (str(int(entry.own)), f"s{entry.spec.place}")
        assert row["scene"] in SCENES and row["camera"] in CAMERAS
        assert row["occluder"] == (entry.spec.occluder or "none")
        look = clothed(who, entry.spec.outfit).look
        assert (row["skin"], row["hair"], row["top"], row["bottom"]) == (look.skin, look.hair, look.top, look.bottom)
    groups = list(csv.DictReader((out / "groups.csv").open()))
    assert [(g["label"], g["group"]) for g in groups] == [
        ("wave", "women_in_men_biased"),
        ("jumping_jack", "men_in_women_biased"),
    ]
    assert all(g["path"].startswith("val/") and (out / g["path"]).is_file() for g in groups)


def test_mannequins_move_as_the_people_did() -> None:
    spec = ClipSpec("wave", 3, size=(96, 64), fps=Fraction(4), seconds=0.5, height=50)
    person, grey = draw_clip(spec), draw_clip(replace(spec, mannequin=True))
    assert np.array_equal(person.plates, grey.plates) and grey.looks[0].skin == grey.looks[0].top == "none"
    assert all(
        np.array_equal(a.bodies[0].pose, b.bodies[0].pose) for a, b in zip(person.bodies, grey.bodies, strict=True)
    )
    inside = grey.masks & person.masks
    assert (
        np.ptp(grey.frames[inside].astype(int), axis=1).mean()
        < np.ptp(person.frames[inside].astype(int), axis=1).mean()
    )


KILLED = """
import os, signal, sys
from pathlib import Path
from m2m.studio import StudioParams, draw_dataset
from m2m.video import Writer
write, count = Writer.write, 0
def killed(self, *args):
    global count
    count += not self.lossless
    if count == 4:  # in the middle of the second video
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, *args)
Writer.write = killed
draw_dataset(Path(sys.argv[1]), StudioParams(2, 2, **eval(sys.argv[2])))
"""


def test_a_killed_run_goes_on_and_gives_the_same_bytes(lab: tuple[Path, StudioParams], tmp_path: Path) -> None:
    out, params = lab
    again = tmp_path / "again"
    done = subprocess.run([sys.executable, "-c", KILLED, str(again), repr(LAB | TINY)], check=False)
    assert done.returncode == -signal.SIGKILL
    left = contents(again)
    first = plan(params)[0]
    assert first.path in left and [p for p in left if p.endswith(".mp4")] == [first.path]
    assert "clips.csv" not in left and any(p.endswith("m2m-part") for p in left)
    before = (again / first.path).stat().st_mtime_ns
    assert draw_dataset(again, params) == [again / e.path for e in plan(params)]
    assert (again / first.path).stat().st_mtime_ns == before
    assert contents(again) == contents(out)
    last = plan(params)[-1]
    (again / last.path).unlink()
    draw_dataset(again, params)
    assert contents(again) == contents(out)


def test_another_recipe_and_other_files_are_refused_by_name(lab: tuple[Path, StudioParams], tmp_path: Path) -> None:
    out, params = lab
    kept = contents(out)
    with pytest.raises(InputError, match=r"another recipe \(seed 1 there, 2 here\)"):
        draw_dataset(out, replace(params, seed=2))
    (out / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match=r"mine\.txt, which is not of this data set"):
        draw_dataset(out, params)
    (out / "mine.txt").unlink()
    assert contents(out) == kept
    with pytest.raises(InputError, match="workers"):
        draw_dataset(tmp_path / "new", params, workers=0)
    assert not (tmp_path / "new").exists()
    (tmp_path / TRUTH).mkdir()
    (tmp_path / TRUTH / "recipe.json").write_text("{")
    with pytest.raises(InputError, match="not a recipe"):
        draw_dataset(tmp_path, params)


def test_an_interrupted_run_leaves_whole_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Writer.write

    def stopped(self: Writer, *args: object) -> None:
        if not self.lossless and self.n_frames:
            raise KeyboardInterrupt
        write(self, *args)

    monkeypatch.setattr(Writer, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        draw_dataset(tmp_path, StudioParams(1, 1, **TINY))
    assert not [p for p in contents(tmp_path) if p.endswith(("mp4", "json", "m2m-part")) and "recipe" not in p]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--bias", "2"], 1, "bias is 0 to 1"),
        (["--attribute", "age=0.5"], 1, "attributes are some of"),
        (["--attribute", "gender"], 2, "NAME=SHARE"),
        (["--attribute", "gender=much"], 2, "not a number"),
        (["--attribute", "gender=1", "--attribute", "gender=0"], 1, "twice"),
        (["--actions", "walk,juggle"], 1, "juggle"),
        (["--reversed"], 1, "reversed needs"),
        (["--seconds", "nan"], 1, "seconds"),
    ],
)
def test_wrong_options_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, message: str
) -> None:
    try:
        found = main(["studio", str(tmp_path / "out"), *options])
    except SystemExit as stop:
        found = int(stop.code or 0)
    text = capsys.readouterr().err
    assert (found, message in text, "Traceback" in text) == (code, True, False)
    assert not (tmp_path / "out").exists()


def test_the_command_line_draws_the_same(tmp_path: Path) -> None:
    params = StudioParams(
        1, 1, actions=("bow",), fps=4, seconds=0.25, attributes={"skin": 0.5}, moving=1.0, mannequins=True
    )
    options = "--classes 1 --clips 1 --actions bow --fps 4 --seconds 0.25 --attribute skin=0.5 --moving 1 --mannequins"
    assert main(["studio", str(tmp_path / "out"), *options.split()]) == 0
    kept = contents(tmp_path / "out")
    assert draw_dataset(tmp_path / "out", params) and contents(tmp_path / "out") == kept
