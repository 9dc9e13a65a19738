"""The whole job on drawn clips: what comes out, that it can be repeated, and that nobody of the truth is left."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from m2m import params, video
from m2m.augment.dataset import augment, licences
from m2m.clips import read_card, read_manifest
from m2m.studio import ClipSpec, draw_clip

SPECS = {
    "wave": ClipSpec("wave", seed=3, seconds=1.5, height=150, camera="still"),
    "walk": ClipSpec("walk", seed=5, seconds=1.0, height=130, camera="pan"),
}


@pytest.fixture(scope="module")
def drawn():
    return {name: draw_clip(spec) for name, spec in SPECS.items()}


@pytest.fixture(scope="module")
def videos(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("videos")
    for name, clip in drawn.items():
        (folder / name).mkdir()
        with video.Writer(folder / name / f"{name}_R6llTwEh07w.mp4", (432, 240), clip.fps) as writer:
            for frame in clip.frames:
                writer.write(frame)
    (folder / "walk" / "broken.mp4").write_bytes(b"\0" * 1000)
    return folder


@pytest.fixture(scope="module")
def run(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    return out, augment(
        videos, out, params.load("augment", overrides={"keep": ["people", "plates", "bodies"]}), workers=1
    )


def dataset(out: Path) -> dict[str, bytes]:
    files = [out / "clips.parquet", out / "dataset.json", *sorted((out / "videos").iterdir())]
    return {f.name: f.read_bytes() for f in files}


def test_every_clip_is_accounted_for(run):
    out, summary = run
    rows = {c.clip_id: c for c in read_manifest(out / "clips.parquet")}
    assert len(rows) == 3 and summary.released == 2 and list(summary.quarantined) == ["walk__broken"]
    for name, clip in rows.items():
        if name == "walk__broken":
            assert (clip.status, clip.reason, clip.path) == ("quarantined", "unreadable", "")
        else:
            assert (clip.status, clip.width, clip.height, clip.label) == ("ok", 432, 240, name.split("__")[0])
            assert video.probe(out / clip.path).fps == 24


def test_clips_have_the_frames_of_their_sources_and_nothing_else(run, drawn):
    out, _ = run
    for name, clip in drawn.items():
        info = video.probe(next((out / "videos").glob(f"{name}__*.mp4")), count=True)
        assert (info.n_frames, info.fps, info.has_audio) == (len(clip.frames), clip.fps, False)


def test_nobody_of_the_truth_is_left_on_the_plates(run, drawn):
    """No pixel that the person changed keeps the person's colour, but for a rim."""
    out, _ = run
    for name, clip in drawn.items():
        plates = np.stack([f.image for f in video.read(next((out / "plates").glob(f"{name}__*.mkv")))])
        person = clip.masks & (np.abs(clip.frames.astype(int) - clip.plates).max(-1) > 60)
        kept = person & (np.abs(plates.astype(int) - clip.frames).max(-1) < 12)
        assert kept.sum() <= 0.01 * person.sum()


def test_bodies_follow_the_truth(run, drawn):
    out, _ = run
    for name, clip in drawn.items():
        bodies = np.load(next((out / "bodies").glob(f"{name}__*.npz")))
        assert len(set(bodies["frame"].tolist())) >= 0.9 * len(clip.frames)
        assert len(set(bodies["track"].tolist())) == 1


def test_the_report_stands_alone_and_says_what_was_refused(run):
    out, _ = run
    page = (out / "report.html").read_text()
    assert page.count("data:video/mp4;base64,") == 2
    assert not re.search(r"(src|href)=.https?:", page), "nothing is fetched"
    assert "walk__broken" in page and "unreadable" in page
    assert "De-identified, not anonymous" in page and "demonstration" in page


def test_the_card_says_what_made_it(run):
    out, _ = run
    card = read_card(out)
    assert (card.variant, card.private, card.clips, card.quarantined) == ("m2m", True, 2, 1)
    assert any("CC0" in licence for licence in card.licences)
    assert card.parameters["verify"]["stride"] == 3


def test_the_licence_of_mask_rcnn_is_named_where_it_made_the_masks():
    def named(backend, model="mask_rcnn_R_101_FPN_3x"):
        chosen = params.load("augment", overrides={"detect": {"backend": backend, "mask_rcnn": {"model": model}}})
        return [licence for licence in licences(chosen) if "Mask R-CNN" in licence]

    assert named("embedded") == []
    assert named("detectron2") == ["Mask R-CNN of detectron2's model zoo, 138205316 (Apache-2.0)"]
    assert named("torchvision", "maskrcnn_resnet50_fpn_v2_coco") == ["Mask R-CNN of torchvision (BSD-3-Clause)"]


def test_a_second_run_does_nothing_again_and_two_workers_give_the_same_bytes(run, videos, tmp_path):
    out, first = run
    stamps = {p.name: p.stat().st_mtime_ns for p in (out / "videos").iterdir()}
    before = dataset(out)
    again = augment(videos, out, params.load("augment", overrides={"keep": ["people", "plates", "bodies"]}))
    assert again == first and dataset(out) == before
    assert {p.name: p.stat().st_mtime_ns for p in (out / "videos").iterdir()} == stamps
    other = tmp_path / "two"
    augment(videos, other, params.load("augment", overrides={"keep": ["people", "plates", "bodies"]}), workers=2)
    assert dataset(other) == before


def test_records_name_no_frame_of_a_person(run):
    """Records stay with the owner, but hold figures only: no picture, no bone length, no scale."""
    out, _ = run
    for path in (out / ".m2m" / "records").iterdir():
        assert not {"bone", "scale", "betas"} & set(re.findall(r"[a-z]+", json.dumps(json.loads(path.read_text()))))
