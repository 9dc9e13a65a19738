from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from m2m.augment.body import BodyParams, make_body
from m2m.augment.render.shade import vertex_normals
from m2m.errors import InputError
from m2m.studio.clip import ClipSpec, draw_clip
from m2m.studio.dataset import write_truth
from m2m.studio.occluders import OCCLUDERS
from m2m.studio.props import PROPS, make_prop, make_shape

SPEC = ClipSpec("wave", seed=5, fps=Fraction(6), seconds=1.5, camera="still", clutter=False, height=130)
BRUSH = np.ones((3, 3), np.uint8)


def grown(masks: np.ndarray) -> np.ndarray:
    return np.stack([cv2.dilate(m.astype(np.uint8), BRUSH) for m in masks]).astype(bool)


@pytest.mark.parametrize("prop", PROPS)
def test_a_prop_is_all_that_it_changes(prop: str) -> None:
    spec = replace(SPEC, label="lift" if prop == "box" else "wave")
    bare, with_it = draw_clip(spec), draw_clip(replace(spec, prop=prop))
    objects = with_it.object_masks.any(1)
    assert np.array_equal(bare.plates, with_it.plates)
    # Thin things cover less than half of many pixels, which are in nobody's mask.
    beside = ~grown(objects)
    assert ((bare.frames != with_it.frames).any(-1) & beside).sum() < 0.2 * objects.sum()
    assert ((bare.masks != with_it.masks) & beside).sum() < 0.01 * objects.sum()
    assert objects.sum(axis=(1, 2)).max() > 40
    changed = np.abs(bare.frames.astype(int) - with_it.frames).max(-1) > 8
    assert changed[objects].mean() > 0.9
    assert not (with_it.masks & objects).any()


def test_a_held_ball_stays_at_the_hand() -> None:
    clip = draw_clip(replace(SPEC, prop="ball"))
    body = make_body(BodyParams())
    for frame, mask in zip(clip.bodies, clip.object_masks[:, 0], strict=True):
        palms = clip.camera.project(body.joints(frame.bodies[0].pose, frame.bodies[0].transl)[[28, 43]])
        ys, xs = np.nonzero(mask)
        assert np.hypot(*(palms - [xs.mean(), ys.mean()]).T).min() < 0.15 * 130


@pytest.mark.parametrize(("label", "joint"), [("kick", 10), ("throw", 28)])
def test_a_ball_leaves_and_comes_back(label: str, joint: int) -> None:
    cycles = np.linspace(0, 2, 81)
    limb = np.stack([0.2 * np.sin(cycles), cycles * 0, 4 + 0 * cycles], axis=1)
    joints = np.zeros((81, 55, 3))
    joints[:, [joint, joint - 10 if joint == 28 else joint]] = limb[:, None]  # an elbow elsewhere gives a direction
    joints[:, 18] = limb - [0.3, 0.1, 0]
    joints[:, 20] = limb - [0.1, 0, 0]
    joints[:, 28] = limb
    ball = make_prop("ball", label, 0, cycles, joints, 0.0, np.random.default_rng(0))
    away = np.linalg.norm(ball.position - limb, axis=1)
    assert away.max() > 1.5
    steps = np.linalg.norm(np.diff(ball.position, axis=0), axis=1)
    assert steps.max() < 0.4, "it does not jump"
    back = away[np.abs(cycles - (1.42 if label == "kick" else 1.0)).argmin()]
    assert back < 0.4


@pytest.mark.parametrize("prop", PROPS)
def test_shapes_are_closed_and_face_outwards(prop: str) -> None:
    shape = make_shape(prop, np.random.default_rng(3))
    a, b, c = (shape.vertices[shape.faces[:, k]] for k in range(3))
    volume = np.einsum("fk,fk->f", a, np.cross(b, c)).sum() / 6
    low, high = shape.vertices.min(0), shape.vertices.max(0)
    assert 0 < volume <= np.prod(high - low)
    if prop == "ball":
        normals = vertex_normals(shape.vertices, shape.faces)
        radius = high[0]
        assert volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.1)
        assert np.abs((normals * shape.vertices).sum(1)).min() > 0.8 * radius


def test_a_tool_lies_along_the_forearm() -> None:
    rng = np.random.default_rng(1)
    joints = np.zeros((5, 55, 3))
    joints[:, 21] = rng.normal(size=(5, 3))
    joints[:, 43] = joints[:, 21] * 1.2
    stick = make_prop("stick", "wave", 1, np.linspace(0, 1, 5), joints, 0.4, rng)
    tips = np.stack([stick.vertices(t)[np.argmax(stick.shape.vertices[:, 1])] for t in range(5)])
    along = (tips - joints[:, 43]) / np.linalg.norm(tips - joints[:, 43], axis=1, keepdims=True)
    fore = joints[:, 21] / np.linalg.norm(joints[:, 21], axis=1, keepdims=True)
    assert ((along * fore).sum(1) > 0.99).all()
    assert isinstance(stick.turned, Rotation)


@pytest.mark.parametrize("occluder", OCCLUDERS)
def test_an_occluder_hides_people_and_stays_on_the_plate(occluder: str) -> None:
    bare, behind = draw_clip(SPEC), draw_clip(replace(SPEC, occluder=occluder))
    hidden = behind.occluder_masks
    assert np.array_equal(hidden[0], hidden[-1])
    solid = np.stack([cv2.erode(m.astype(np.uint8), BRUSH) for m in hidden]).astype(bool)
    assert np.abs(behind.frames[solid].astype(int) - behind.plates[solid]).max() <= 128
    assert (np.abs(behind.frames[solid].astype(int) - behind.plates[solid]).max(-1) <= 2).mean() > 0.95
    assert not (behind.masks & hidden).any()
    lost = bare.masks.sum() - behind.masks.sum()
    assert lost > 0.1 * bare.masks.sum()
    assert np.array_equal(behind.masks, bare.masks & ~hidden)


def test_an_occluder_moves_with_the_scene() -> None:
    clip = draw_clip(replace(SPEC, occluder="post", camera="pan"))
    columns = np.array([np.nonzero(m)[1].mean() for m in clip.occluder_masks])
    assert np.ptp(columns) > 15


def test_unknown_things_are_refused() -> None:
    with pytest.raises(InputError, match="prop 'sword'"):
        draw_clip(replace(SPEC, prop="sword"))
    with pytest.raises(InputError, match="occluder 'wall'"):
        draw_clip(replace(SPEC, occluder="wall"))


def test_the_truth_holds_their_masks(tmp_path) -> None:
    clip = draw_clip(replace(SPEC, prop="ball", occluder="table"))
    write_truth(clip, tmp_path, "both")
    write_truth(draw_clip(SPEC), tmp_path, "bare")
    with np.load(tmp_path / "both.npz") as truth:
        assert np.array_equal(np.unpackbits(truth["objects"], axis=-1, count=432).view(bool), clip.object_masks)
        assert np.array_equal(np.unpackbits(truth["occluders"], axis=-1, count=432).view(bool), clip.occluder_masks)
    with np.load(tmp_path / "bare.npz") as truth:
        assert not {"objects", "occluders"} & set(truth.files)
