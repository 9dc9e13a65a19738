import math

import cv2
import numpy as np
import pytest

from m2m.augment.detect.blazepose import Crop, PoseDetector, PoseLandmarker, pack, refine, unpack, unstretched
from m2m.augment.detect.faces import CenterFace, MediapipeFaces
from m2m.augment.detect.litert import model_file
from m2m.augment.detect.selfie import SelfieSegmenter
from m2m.augment.detect.ssdlite import SSDLite, anchors
from m2m.errors import Exit, InfrastructureError
from m2m.video import read

SIZE = (432, 240)


def frames(shared, name, wanted):
    found = {i: f.image for i, f in enumerate(read(shared / "clips" / name, SIZE)) if i in wanted}
    return [found[i] for i in wanted]


@pytest.fixture(scope="module")
def girls(shared):
    return frames(shared, "schoolgirls.mp4", [0, 20, 40, 60])


@pytest.fixture(scope="module")
def cars(shared):
    return frames(shared, "car-detection.mp4", [60, 195, 205, 300])


@pytest.fixture(scope="module")
def closeup(shared):
    return frames(shared, "apply_eye_makeup.avi", [5, 60, 120])


@pytest.fixture(scope="module")
def ssdlite():
    return SSDLite(2)


def test_a_missing_package_says_what_to_install(monkeypatch):
    with pytest.raises(InfrastructureError, match=r"no_such_models is not installed.*make setup") as caught:
        model_file("no_such_models", "a.tflite")
    assert caught.value.code == Exit.INFRASTRUCTURE
    with pytest.raises(InfrastructureError, match=r"mediapipe holds no nothing\.tflite.*mediapipe==0\.10\.21"):
        model_file("mediapipe", "nothing.tflite")


def test_ssdlite_equals_tensorflow(ssdlite, girls):
    # Best scores and their anchors that TensorFlow 2 gives for the same frames resized to 300 x 300.
    best = [(1399, 0.9555), (1405, 0.9130), (1417, 0.9452), (1423, 0.8752)]
    for frame, (anchor, score) in zip(girls, best, strict=True):
        _, scores = ssdlite.raw(cv2.resize(frame, (300, 300)))
        assert scores.argmax() == anchor
        assert scores.max() == pytest.approx(score, abs=0.005)


def test_ssdlite_anchors_are_the_standard_ones():
    a = anchors()
    assert a.shape == (1917, 4)
    # First cell of the first layer: scale 0.1 square, then scale 0.2 wide and tall.
    cell = 0.5 / 19
    expected = [[cell, cell, 0.1, 0.1], [cell, cell, 0.2 / math.sqrt(2), 0.2 * math.sqrt(2)]]
    assert np.allclose(a[:2], expected)
    assert np.allclose(a[-1], [0.5, 0.5, math.sqrt(0.95), math.sqrt(0.95)])


def test_ssdlite_finds_every_girl_and_no_car(ssdlite, shared, girls, cars):
    found = ssdlite.people(girls[0], 0.3)
    assert (found[:3, 4] > 0.7).all() and found[0, 4] > 0.95
    assert max(ssdlite.people(f, 0.05)[:, 4].max(initial=0) for f in cars) < 0.3


def test_ssdlite_boxes_lie_where_people_are(ssdlite, shared, girls):
    pil = pytest.importorskip("PIL.Image")
    ids = np.array(pil.open(shared / "fixtures" / "schoolgirls_masks" / "00000.png"))
    for box in ssdlite.people(girls[0], 0.7):
        x0, y0, x1, y1 = (int(v) for v in box[:4])
        assert (ids[y0:y1, x0:x1] > 0).mean() > 0.4


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_centerface_finds_the_face_and_nothing_on_cars(closeup, cars, scale):
    model = CenterFace(2)
    for frame in closeup[:1]:
        best = model.faces(frame, 0.3, scale)[0]
        # The face fills the right of the picture (hand-checked label: about 275-400 x 30-170 at 432 x 240).
        assert best[4] > 0.5 and 200 < (best[0] + best[2]) / 2 < 432
    assert all(len(model.faces(f, 0.5, scale)) == 0 for f in cars)


def test_mediapipe_finds_a_face_and_nothing_on_cars(closeup, cars):
    model = MediapipeFaces(2)
    assert any(len(model.faces(f, 0.6)) for f in closeup)
    assert all(model.faces(f, 0.6).shape == (0, 5) for f in cars)


def test_the_segmenter_sees_the_girls_and_no_car(shared, girls, cars):
    pil = pytest.importorskip("PIL.Image")
    ids = np.array(pil.open(shared / "fixtures" / "schoolgirls_masks" / "00000.png"))
    model = SelfieSegmenter(2)
    full = model.full(girls[0])
    assert full.shape == (240, 432) and full.dtype == np.float32
    assert full[ids > 0].mean() > 0.6 > 0.3 > full[ids == 0].mean()
    assert max((model.full(f) > 0.3).mean() for f in cars) < 0.01


def test_a_crop_of_the_segmenter_knows_nothing_outside(closeup):
    crop = SelfieSegmenter(2).crop(closeup[0], (100.0, 120.0), 80.0)
    assert (crop[:, 145:] == -1).all() and (crop[:, :55] == -1).all()
    assert (crop[85:155, 65:135] >= 0).all()


def test_the_landmarks_of_the_girls_lie_on_them(shared, girls):
    pil = pytest.importorskip("PIL.Image")
    ids = np.array(pil.open(shared / "fixtures" / "schoolgirls_masks" / "00000.png"))
    landmarker = PoseLandmarker(2)
    poses = [landmarker.look(girls[0], c, 0.9) for c in PoseDetector(2).crops(girls[0], 0.5, (1, 2, 3))]
    poses = [p for p in poses if p is not None]
    assert len(poses) >= 3
    hits = []
    for pose in poses:
        mask = unpack(pose.mask, SIZE[0])
        assert (ids[mask] > 0).mean() > 0.85
        torso = pose.landmarks.image[[11, 12, 23, 24]].round().astype(int)
        hits += list(ids[torso[:, 1].clip(0, 239), torso[:, 0].clip(0, 431)] > 0)
    assert np.mean(hits) > 0.75


def test_a_crop_maps_its_corners():
    matrix = Crop(100, 50, 80, math.pi / 2).matrix(256)
    assert np.allclose(matrix @ [128, 128, 1], [100, 50])
    # Turned by a quarter, the crop's top is the frame's right.
    assert np.allclose(matrix @ [128, 0, 1], [140, 50])


def test_a_crop_around_an_upright_person_is_upright():
    crop = Crop.around(np.array([50.0, 80.0]), np.array([50.0, 40.0]))
    assert crop.angle == pytest.approx(0) and crop.size == pytest.approx(100)


def test_masks_are_packed_without_loss():
    mask = np.random.default_rng(0).random((7, 13)) > 0.5
    assert np.array_equal(unpack(pack(mask), 13), mask)


def test_refinement_equals_a_loop_over_pixels():
    rng = np.random.default_rng(1)
    heat = rng.normal(0, 3, (64, 64, 39)).astype(np.float32)
    heat[..., 5] = -9  # no heat: the landmark stays
    points = rng.uniform(-20, 276, (39, 2)).astype(np.float32)
    expected = points.astype(float)
    for j, (px, py) in enumerate(points):
        u, v = int(px / 4), int(py / 4)
        if px < 0 or py < 0 or u > 63 or v > 63:
            continue
        total = x_sum = y_sum = best = 0.0
        for y in range(max(0, v - 3), min(64, v + 4)):
            for x in range(max(0, u - 3), min(64, u + 4)):
                p = 1 / (1 + math.exp(-float(heat[y, x, j])))
                total, x_sum, y_sum, best = total + p, x_sum + p * x, y_sum + p * y, max(best, p)
        if best >= 0.5:
            expected[j] = x_sum / total * 4, y_sum / total * 4
    assert np.allclose(refine(points, heat, 256), expected, atol=1e-3)


def test_the_pose_model_sees_a_stretched_picture_as_it_was(girls):
    """A picture drawn half as wide again, with the stretch told, gives the landmarks of the picture itself."""
    frame, model = girls[0], PoseLandmarker(2)
    (crop, *_) = PoseDetector(2).crops(frame, 0.5, (1, 2))
    plain = model.look(frame, crop, 0.5)
    wide = cv2.resize(frame, (648, 240), interpolation=cv2.INTER_LINEAR)
    told = model.look(wide, crop, 0.5, 1.5)
    assert np.abs(told.landmarks.image / [1.5, 1] - plain.landmarks.image).mean() < 1.5
    assert np.abs(told.landmarks.world - plain.landmarks.world).mean() < 0.03
    assert abs(told.following.size - plain.following.size) < 2
    a = unpack(told.mask, 648)
    b = cv2.resize(unpack(plain.mask, 432).astype(np.uint8), (648, 240), interpolation=cv2.INTER_NEAREST) > 0
    assert (a & b).sum() > 0.9 * (a | b).sum()


def test_a_frame_that_is_not_stretched_is_left_alone(girls):
    assert unstretched(girls[0], 1.0) is girls[0]
    assert unstretched(girls[0], 1.35).shape == (240, 320, 3)
