"""A clip through all checks with the real models: clean ones pass, plants are found."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from m2m.audit.clip import ClipAuditor, Subject
from m2m.audit.params import AuditParams
from m2m.augment.body import BodyParams
from m2m.augment.render import RenderParams
from tests.audit.scenes import N, row, scene, write, write_people, write_poses

COLOUR = RenderParams().colour


@pytest.fixture(scope="module")
def auditor() -> ClipAuditor:
    return ClipAuditor(AuditParams())


class Blind:
    """Models that see nothing."""

    def faces(self, frame, threshold):
        return np.zeros((0, 5), np.float32)

    people = everybody = faces

    def somebody(self, frame):
        return np.zeros(frame.shape[:2], bool)


@pytest.fixture(scope="module")
def blind() -> ClipAuditor:
    return ClipAuditor(AuditParams(), Blind())


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write(tmp_path_factory.mktemp("original") / "R6llTwEh07w.mp4", scene().originals)


@pytest.fixture
def subject(tmp_path, original):
    """A subject with the given frames."""

    def make(frames, **more) -> Subject:
        path = write(tmp_path / "clip.mp4", frames, more.pop("fps", Fraction(8)))
        return replace(Subject(row(path), path, original, None, ("R6llTwEh07w",), COLOUR), **more)

    return make


def test_a_good_clip_passes_with_its_plate(auditor, subject, tmp_path):
    plate = write(tmp_path / "plate.mp4", scene().plates)
    found = auditor(subject(scene().outputs, plate=plate))
    assert found.verdict == "pass" and set(found.unchecked) == {"coverage", "leakage", "shape", "bodies"}
    assert found.checks["faces"].figures["explained"] > 0  # the drawn head looks like a face
    assert found.checks["copies"].figures["with_people"] > N // 2  # and the original's people were seen


def test_a_frame_that_came_through_fails(auditor, subject):
    frames = list(scene().outputs)
    frames[6] = scene().originals[6]
    found = auditor(subject(frames))
    assert "copies" in found.failed and found.verdict == "fail"


def test_a_person_who_was_not_painted_out_fails(auditor, subject):
    frames = [f.copy() for f in scene().outputs]
    for t in (4, 5, 6):
        frames[t][scene().masks[t]] = scene().originals[t][scene().masks[t]]
    found = auditor(subject(frames))
    assert {"copies", "faces"} <= set(found.failed)


def test_a_person_on_the_plate_fails(auditor, subject, tmp_path):
    plates = [f.copy() for f in scene().plates]
    for t in (4, 5, 6):
        plates[t][scene().masks[t]] = scene().originals[t][scene().masks[t]]
    plate = write(tmp_path / "plate.mp4", plates)
    assert auditor(subject(scene().outputs, plate=plate)).failed == ["plate"]


def test_a_lost_frame_and_another_rate_fail(blind, subject):
    shorter = blind(subject(scene().outputs[:-1]))
    assert shorter.failed == ["timing"] and f"the original has {N} at 8/s" in shorter.checks["timing"].figures["why"]
    longer = blind(subject([*scene().outputs, scene().outputs[-1]]))
    assert longer.failed == ["timing"]
    slower = blind(subject(scene().outputs, fps=Fraction(15, 2)))
    assert slower.failed == ["timing"] and "15/2" in slower.checks["timing"].figures["why"]


def test_what_only_the_manifest_says_otherwise_fails_too(blind, subject):
    good = subject(scene().outputs, original=None)
    for wrong in ({"n_frames": N + 1}, {"fps_num": 9}, {"width": 430}, {"height": 242}):
        assert blind(replace(good, clip=replace(good.clip, **wrong))).failed == ["timing"]


def test_windows_of_a_long_clip_are_looked_at_one_by_one(subject):
    looked = []

    class Counting(Blind):
        def everybody(self, frame, threshold):
            looked.append(frame)
            return self.people(frame, threshold)

    auditor = ClipAuditor(AuditParams(window=6), Counting())
    frames = list(scene().outputs)
    assert auditor(subject(frames)).verdict == "pass"
    assert len(looked) == len({0, 2, 5}) + len({6, 8})
    frames[4] = scene().originals[4]
    assert auditor(subject(frames)).failed == ["copies"]


def test_without_an_original_the_rest_is_still_checked(auditor, subject):
    found = auditor(subject(scene().outputs, original=None))
    assert found.verdict == "pass"
    assert set(found.unchecked) == {"copies", "plate", "coverage", "leakage", "shape", "bodies"}
    frames = [f.copy() for f in scene().outputs]
    for t in (4, 5, 6):
        frames[t][scene().masks[t]] = scene().originals[t][scene().masks[t]]
    assert auditor(subject(frames, original=None)).failed == ["faces", "people"]


def test_large_frames_are_looked_at_in_smaller_windows(blind):
    assert blind._window(432 * 240) == 240
    assert blind._window(1920 * 1080) == 12
    assert blind._window(7680 * 4320) == 6


def test_an_original_that_cannot_be_read_is_said(blind, subject, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    found = blind(subject(scene().outputs, original=tmp_path / "broken.mp4"))
    assert "broken.mp4" in found.checks["copies"].figures["why"]
    assert found.checks["copies"].ok is None


def test_what_shows_people_on_purpose_is_only_checked_as_a_file(blind, subject):
    found = blind(subject(scene().originals, private=False))
    assert found.verdict == "pass"
    assert set(found.unchecked) == {"copies", "coverage", "leakage", "faces", "people", "plate", "shape", "bodies"}


def test_broken_absent_and_exchanged_files_fail(blind, subject, tmp_path):
    good = subject(scene().outputs)
    half = tmp_path / "half.mp4"
    half.write_bytes(good.video.read_bytes()[:30_000])
    assert set(blind(replace(good, video=half)).failed) >= {"bytes", "file", "timing", "copies", "faces"}
    absent = blind(replace(good, video=tmp_path / "absent.mp4"))
    assert absent.verdict == "fail" and absent.sha256 == ""
    other = replace(good, clip=replace(good.clip, sha256="0" * 64))
    assert blind(other).failed == ["bytes"]


def test_kept_masks_plates_and_poses_are_looked_at(auditor, subject, tmp_path):
    more = {
        "plate": write(tmp_path / "plate.mp4", scene().plates),
        "people": write_people(tmp_path / "people.jsonl.gz", scene().masks),
        "bodies": write_poses(tmp_path / "bodies.npz"),
        "body": BodyParams(),
    }
    good = subject(scene().outputs, **more)
    found = auditor(good)
    assert found.verdict == "pass" and set(found.unchecked) <= {"leakage"}
    gone = scene().masks.copy()
    gone[4:7] = False
    missing = auditor(replace(good, people=write_people(tmp_path / "missing.jsonl.gz", gone)))
    assert missing.failed == ["coverage"]
    short = auditor(replace(good, people=write_people(tmp_path / "short.jsonl.gz", scene().masks[:-1])))
    assert short.failed == ["coverage"] and f"of {N - 1} frames" in short.why()
    (tmp_path / "broken.jsonl.gz").write_bytes(b"no gzip")
    assert "damaged" in auditor(replace(good, people=tmp_path / "broken.jsonl.gz")).why()
    (tmp_path / "broken.npz").write_bytes(b"no zip")
    assert "damaged" in auditor(replace(good, bodies=tmp_path / "broken.npz")).why()


def test_somebody_in_the_background_is_seen_though_no_plate_was_kept(auditor, subject):
    frames = [f.copy() for f in scene().outputs]
    for frame, original, mask in zip(frames, scene().originals, scene().masks, strict=True):
        there = np.roll(mask, 150, 1)
        frame[there] = np.roll(original, 150, 1)[there]
    found = auditor(subject(frames))
    assert "people" in found.failed and found.checks["people"].figures["sightings"][0]["box"][0] > 200
    assert auditor(subject(frames, painted=False)).checks["people"].ok is None


def test_a_licensed_body_that_is_not_here_is_not_checked(auditor, subject, tmp_path):
    more = {"bodies": write_poses(tmp_path / "bodies.npz"), "body": BodyParams("smplx", "neutral", str(tmp_path))}
    found = auditor(subject(scene().outputs, **more))
    assert found.checks["shape"].ok is None and found.verdict == "pass"
