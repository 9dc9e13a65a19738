"""Bodies of the asked shape pass; a broader, a narrower or a missing one is told."""

import numpy as np
import pytest

from m2m.audit.drawn import Drawn
from m2m.audit.params import AuditParams
from m2m.augment.bodies import FrameBodies
from m2m.augment.body import BodyParams, make_body
from m2m.augment.compose import over
from m2m.augment.render import RenderParams, make_renderer
from tests.audit.scenes import N, scene

COLOUR = RenderParams().colour


def drawn(bodies=None) -> Drawn:
    known = dict(enumerate(scene().bodies)) if bodies is None else bodies
    return Drawn(make_body(BodyParams()), known, scene().camera, COLOUR, AuditParams())


def frame(t: int, factor: float = 1.0, occluder: bool = False) -> np.ndarray:
    """The scene's output with a body of another breadth."""
    body, renderer = make_body(BodyParams()), make_renderer(RenderParams())
    meshes = []
    for b in scene().bodies[t].bodies:
        vertices, joints = body.vertices(b.pose, b.transl), body.joints(b.pose, b.transl)[:22]
        nearest = joints[np.argmin(np.linalg.norm(vertices[:, None] - joints, axis=-1), 1)]
        meshes.append((nearest + (vertices - nearest) * factor).astype(np.float32))
    out = over(scene().plates[t], renderer.render(meshes, body.faces, scene().camera)[0])
    if occluder:
        ys, xs = np.nonzero(scene().masks[t])
        half = slice((ys.min() + ys.max()) // 2, ys.max() + 1), slice(xs.min(), xs.max() + 1)
        out[half] = scene().plates[t][half]
    return out


@pytest.mark.parametrize(("factor", "fine"), [(1.0, True), (1.25, False), (0.75, False)])
def test_only_the_asked_shape_passes(factor, fine):
    looks = drawn()
    for t in (3, 4):
        looks.look(t, frame(t, factor), scene().plates[t], None)
    found = looks.shape()
    assert found.ok is fine
    if not fine:
        assert {s["frame"] for s in found.figures["sightings"]} == {3, 4}


def test_what_stands_before_a_body_is_no_other_shape():
    ys, xs = np.nonzero(scene().masks[4])
    front = np.zeros_like(scene().masks[4])
    front[(ys.min() + ys.max()) // 2 : ys.max() + 1, xs.min() : xs.max() + 1] = True
    for known, fine in ((front, True), (None, False)):
        looks = drawn()
        looks.look(4, frame(4, occluder=True), scene().plates[4], known)
        assert looks.shape().ok is fine


def test_a_body_too_small_to_compare_is_not_checked():
    assert drawn({}).shape().ok is None


def test_people_without_a_body_are_told_and_fail_nothing():
    looks = drawn({0: scene().bodies[0], 1: FrameBodies(())})
    for t in range(2):
        looks.masked(t, {0: (1.0, 2.0, 3.0, 4.0)})
    found = looks.everybody()
    assert found.ok and found.figures["without"] == 1 and found.figures["flags"][0]["frame"] == 1
    looks = drawn()
    for t in range(N):
        looks.masked(t, {0: (1.0, 2.0, 3.0, 4.0)})
    assert "flags" not in looks.everybody().figures
