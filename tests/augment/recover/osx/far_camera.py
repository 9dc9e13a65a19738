"""What a perfect OSX would say of a known body: the same pose, through a camera of its own, far away."""

import numpy as np
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.body import BodyParams, make_body
from m2m.augment.people import FramePeople, Person
from m2m.augment.recover.osx.camera import centres, focals, turns
from m2m.augment.recover.osx.crop import window_of
from m2m.augment.recover.osx.estimate import Estimate
from m2m.augment.recover.osx.shape import RestJoints
from m2m.augment.recover.translation import translation
from m2m.augment.render import RenderParams, make_renderer

BODY = make_body(BodyParams())
RENDERER = make_renderer(RenderParams())
PELVIS = np.array([0.003, -0.351, 0.012])
"""About where SMPL-X's pelvis is at rest, metres."""
POSED = 22
"""The body's joints, without hands and face."""
SHAPES = RestJoints(BODY.rest_joints.astype(float) - BODY.rest_joints[0] + PELVIS, np.zeros((55, 3, 10)))


def silhouette(pose, transl, camera):
    """(H, W) bool."""
    return RENDERER.render([BODY.vertices(pose, transl)], BODY.faces, camera)[0][..., 3] > 127


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def box_of(pose, transl, camera):
    """(4,) float32 box of the drawn body, cut off at the picture's borders."""
    at = camera.project(BODY.vertices(pose, transl))
    size = [camera.width, camera.height]
    return np.concatenate([np.clip(at.min(0), 0, size), np.clip(at.max(0), 0, size)]).astype(np.float32)


def person(track, pose, transl, camera, families=("pose", "ssdlite"), score=0.9):
    mask = np.zeros((camera.height, camera.width), bool)
    return Person(track, box_of(pose, transl, camera), score, mask, frozenset(families), None)


def frame(*persons, camera):
    return FramePeople(persons, np.zeros((camera.height, camera.width), bool))


def told(pose, transl, camera):
    """The estimate: the root against the crop's axis; the place whose picture is the true one's, by least squares."""
    window = window_of(box_of(pose, transl, camera), camera.width, camera.height)[None]
    own = pose.astype(float)
    turn = Rotation.from_matrix(turns(window, camera)[0])
    own[0] = (turn.inv() * Rotation.from_rotvec(pose[0])).as_rotvec()
    joints = PELVIS + BODY.joints(own, np.zeros(3))
    marks = camera.project(BODY.joints(pose, transl).astype(float))
    (cx, cy), focal = centres(window)[0], float(focals(window)[0])
    place = translation(joints[None, :POSED], marks[None, :POSED], np.ones((1, POSED)), Camera(focal, cx, cy, 1, 1))[0]
    return Estimate(own.astype(np.float32), np.zeros(10, np.float32), place.astype(np.float32))


def shown(estimate, box, camera):
    """(H, W) bool: the silhouette as OSX's own camera shows it; true to the picture, if OSX is right."""
    window = window_of(box, camera.width, camera.height)[None]
    (cx, cy), focal = centres(window)[0], float(focals(window)[0])
    return silhouette(estimate.pose, estimate.place + PELVIS, Camera(focal, cx, cy, camera.width, camera.height))


class Told:
    """A network that says what it is given, in order; it keeps what it was shown."""

    def __init__(self, estimates):
        self.estimates = estimates
        self.shown = []

    def estimate(self, crops):
        self.shown = list(crops)
        assert len(self.shown) == len(self.estimates)
        return self.estimates
