"""How well bodies follow people: real clips against the detector's own landmarks, and known poses against themselves.

    python -m benchmarks.bodies [CLIP ... | fingers]

Distances are between the drawn body's shoulders, elbows, wrists, hips, knees and ankles and the visible landmarks
(visibility > 0.5), as a share of the person's extent (the longer side of the box of the visible landmarks). `all`
counts every frame that has landmarks; `believed` leaves out the frames whose landmarks the recover stage took for no
pose, reads left and right as it did and has spikes replaced, so it flatters. What does not flatter: the overlap (IoU)
of the drawn body's box with hand-checked boxes of people of 40 px and more, and the distance of its eyes from the
middle of hand-checked faces as a share of the person's height.
Jitter is the mean second difference of the distance from the camera, shake that of the joints in the picture.
"""

import argparse
import json
import time
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.clips import frames_of, names, shared, stretch_of
from benchmarks.presence import body_box
from m2m.augment.bodies import Body, BodyModel, Camera, FrameBodies
from m2m.augment.body import BodyParams, make_body
from m2m.augment.detect import DetectParams, make_detector
from m2m.augment.detect.boxes import iou
from m2m.augment.detect.shots import ShotDetector
from m2m.augment.people import Detector, FramePeople, Landmarks, Person
from m2m.augment.recover import IKRecoverer, RecoverParams
from m2m.augment.recover import skeleton as sk
from m2m.augment.recover.kinematics import solve
from m2m.augment.recover.rotations import angle_between, exp, unit
from m2m.augment.recover.scene import square, unstretched
from m2m.augment.recover.skeleton import MAJOR, Skeleton
from m2m.augment.recover.smoothing import jitter
from m2m.augment.recover.track import gather
from m2m.augment.window import WindowParams, windows
from m2m.studio import ACTIONS, ClipSpec, draw_clip

JOINTS, MARKS = list(MAJOR), list(MAJOR.values())
VISIBLE = 0.5
SMALLEST = 40
"""Least height in pixels of a labelled person that is checked."""
RAW = RecoverParams(smooth_points=0, smooth_depth=0, smooth_pose=0, smooth_distance=0)


@dataclass
class Figures:
    """What is measured of one clip."""

    every: list[float] = field(default_factory=list)
    believed: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    smooth: list[float] = field(default_factory=list)
    shake: list[float] = field(default_factory=list)
    overlap: list[float] = field(default_factory=list)
    heads: list[float] = field(default_factory=list)
    left_out: int = 0
    people: int = 0
    bodies: int = 0
    without: int = 0
    seconds: float = 0.0


def distance(body: BodyModel, drawn: Body, image: np.ndarray, visible: np.ndarray, camera: Camera) -> float | None:
    """Mean distance of a body from visible landmarks as a share of their extent; None where too few are visible."""
    shown = visible[MARKS]
    if shown.sum() < 2:
        return None
    extent = np.ptp(image[visible], axis=0).max()
    at = camera.project(body.joints(drawn.pose, drawn.transl))[JOINTS]
    return float(np.linalg.norm(at - image[MARKS], axis=1)[shown].mean() / extent)


def distances(bodies: list[FrameBodies]) -> dict[int, np.ndarray]:
    """Distance from the camera along each track, metres."""
    tracks: dict[int, list[float]] = {}
    for frame in bodies:
        for drawn in frame.bodies:
            tracks.setdefault(drawn.track, []).append(float(drawn.transl[2]))
    return {k: np.array(v) for k, v in sorted(tracks.items())}


def shakes(body: BodyModel, bodies: list[FrameBodies], camera: Camera) -> list[float]:
    """Mean second difference of the joints in the picture, as a share of the body's size there, one a track."""
    tracks: dict[int, list[np.ndarray]] = {}
    for frame in bodies:
        for drawn in frame.bodies:
            at = camera.project(body.joints(drawn.pose, drawn.transl))[JOINTS]
            tracks.setdefault(drawn.track, []).append(at)
    long = [np.array(v) for v in tracks.values() if len(v) > 2]
    return [
        float(np.linalg.norm(np.diff(v, 2, axis=0), axis=-1).mean() / np.ptp(v, axis=1).max(1).mean()) for v in long
    ]


def check(body: BodyModel, drawn: FrameBodies, labels: list[dict], scale: np.ndarray, camera: Camera) -> list:
    """(overlap, distance of the head or None) of everybody labelled in a frame; `scale` takes labels to the picture."""
    found = [
        (body_box(body, b, camera), camera.project(body.joints(b.pose, b.transl)[list(sk.EYES)].mean(0)))
        for b in drawn.bodies
    ]
    out = []
    for label in labels:
        box = np.array(label["box"], float) * scale
        height = box[3] - box[1]
        if not label["sure"] or height < SMALLEST:
            continue
        ious = iou(np.array([b for b, _ in found]).reshape(-1, 4), box[None])[:, 0]
        head = None
        if label["face"] and label["face_sure"] and ious.max(initial=0) > 0:
            face = np.array(label["face"], float) * scale
            head = float(np.linalg.norm(found[int(ious.argmax())][1] - (face[:2] + face[2:]) / 2) / height)
        out.append((float(ious.max(initial=0)), head))
    return out


def measure(body: BodyModel, people: list[FramePeople], camera: Camera, figures: Figures) -> list[FrameBodies]:
    """Adds one window to the figures; returns its bodies."""
    begin = time.process_time()
    bodies = IKRecoverer(body).recover(people, camera)
    figures.seconds += time.process_time() - begin
    tracks: dict[int, list[tuple[int, Person]]] = {}
    for t, frame in enumerate(people):
        figures.people += len(frame.confirmed)
        figures.bodies += len(bodies[t].bodies)
        figures.without += len({p.track for p in frame.confirmed} - {b.track for b in bodies[t].bodies})
        for person in frame.confirmed:
            tracks.setdefault(person.track, []).append((t, person))
    for track, found in sorted(tracks.items()):
        drawn = {t: b for t, frame in enumerate(bodies) for b in frame.bodies if b.track == track}
        seen = [(t, p.landmarks) for t, p in found if p.landmarks is not None]
        for t, marks in seen:
            if t in drawn:
                value = distance(body, drawn[t], marks.image, marks.visibility > VISIBLE, camera)
                figures.every += [] if value is None else [value]
        if not seen:
            continue
        plain = [unstretched(p, camera.stretch) for _, p in found]
        kept = gather(np.array([t for t, _ in found]), plain, square(camera))
        figures.left_out += len(seen) - (0 if kept is None else len(kept.at))
        for at, image, trust in zip(kept.at, kept.image, kept.trust, strict=True) if kept else ():
            t = int(at) + found[0][0]
            if t in drawn:
                value = distance(body, drawn[t], image * [camera.stretch, 1], trust > VISIBLE, camera)
                figures.believed += [] if value is None else [value]
    figures.smooth += [jitter(z) for z in distances(bodies).values()]
    figures.raw += [jitter(z) for z in distances(IKRecoverer(body, RAW).recover(people, camera)).values()]
    figures.shake += shakes(body, bodies, camera)
    return bodies


def clip(name: str, body: BodyModel, detector: Detector) -> Figures:
    """The figures of one clip."""
    figures = Figures()
    labels = json.loads((shared() / "fixtures" / "people" / "labels.json").read_text())[name]
    stretch = stretch_of(name)
    for window in windows(frames_of(name), ShotDetector(), WindowParams()):
        height, width = window.frames.shape[1:3]
        camera = Camera.default(width, height, stretch)
        bodies = measure(body, detector.detect(window.frames, stretch), camera, figures)
        scale = np.array([width / labels["size"][0], height / labels["size"][1]] * 2)
        for t in range(window.start, window.stop):
            there = labels["frames"].get(str(window.first + t - window.start), [])
            for overlap, head in check(body, bodies[t], there, scale, camera):
                figures.overlap.append(overlap)
                figures.heads += [] if head is None else [head]
    return figures


def known_poses(body: BodyModel) -> None:
    """Prints the errors on real SMPL-X poses whose joints are given exactly."""
    skeleton = Skeleton(body.rest_joints, body.parents)
    local = exp(
        np.load(shared() / "fixtures" / "smplx_poses_8x165.npy", allow_pickle=False).reshape(8, 55, 3).astype(float)
    )
    local[:, 0] = exp(np.array([np.pi / 2, 0, 0])) @ local[:, 0]  # z up -> the camera's axes
    turned, joints = skeleton.forward(local)
    place, camera = np.array([0.3, 0.2, 4.0]), Camera.default(432, 240)
    marks = np.zeros((8, 33, 3))
    for joint, offset, mark, _ in skeleton.points:
        marks[:, mark] = joints[:, joint] + turned[:, joint] @ offset
    for side in (0, 1):
        ankle = sk.ANKLES[side]
        marks[:, sk.HEEL_MARKS[side]] = joints[:, ankle] + turned[:, ankle] @ np.array([0, -0.07, -0.05])
        marks[:, sk.INDEX_MARKS[side]], marks[:, sk.PINKY_MARKS[side]] = (
            joints[:, sk.INDEX[side]],
            joints[:, sk.PINKY[side]],
        )
    bones = [(16, 18), (18, 20), (17, 19), (19, 21), (1, 4), (4, 7), (2, 5), (5, 8)]
    major = [0, 9, 15, 16, 17, 18, 19, 1, 2, 4, 5]

    def angles(found: np.ndarray) -> tuple[float, float, float]:
        """Mean errors in degrees of global rotations, of bone directions, and of the bends of knees and elbows."""
        turned2, joints2 = skeleton.forward(found)
        one, two = (np.stack([unit(x[:, b] - x[:, a]) for a, b in bones], 1) for x in (joints, joints2))
        direction = np.arccos(np.clip((one * two).sum(-1), -1, 1))
        bend = [np.arccos(np.clip((v[:, ::2] * v[:, 1::2]).sum(-1), -1, 1)) for v in (one, two)]
        rotation = angle_between(turned[:, major], turned2[:, major])
        return tuple(float(np.degrees(v).mean()) for v in (rotation, direction, np.abs(bend[0] - bend[1])))  # type: ignore[return-value]

    print(
        "\nknown poses (8, the mannequin's own proportions), mean degrees: rotation / bone direction / knees and elbows"
    )
    print(
        "  closed form on exact 3D points    {:5.1f} / {:5.2f} / {:5.2f}".format(
            *angles(solve(skeleton, marks, np.ones((8, 33)))[0])
        )
    )
    ones, errors, drawn = np.ones(33, np.float32), [], []
    for k in range(8):
        world = marks[k] - marks[k, list(sk.HIP_MARKS)].mean(0)
        image = camera.project(marks[k] + place).astype(np.float32)
        seen = Landmarks(image, ones * 0, ones, ones, world.astype(np.float32), 1.0)
        box = np.concatenate([image.min(0), image.max(0)])
        person = Person(0, box, 1.0, np.zeros((1, 1), bool), frozenset(("pose", "ssdlite")), seen)
        bodies = IKRecoverer(body).recover([FramePeople((person,), np.zeros((1, 1), bool))] * 9, camera)
        found = bodies[4].bodies[0]
        drawn.append(exp(found.pose.astype(float)))
        errors.append(distance(body, found, image, ones > 0, camera) or 0.0)
    print("  the whole stage, on the picture   {:5.1f} / {:5.2f} / {:5.2f}".format(*angles(np.stack(drawn))), end="")
    print(f"; reprojection {np.mean(errors):.2%}")


def fingers(body: BodyModel, detector: Detector) -> None:
    """Prints how far finger joints are from the studio's true ones, as they are seen and as they are at rest."""
    print("\nfingers of the studio (degrees): relaxed / as they are seen")
    joints = [*sk.FINGERS[0], *sk.FINGERS[1]]
    halves: list[list[list[float]]] = [[], []]
    for number, label in enumerate(ACTIONS):
        clip = draw_clip(ClipSpec(label, seed=11, seconds=2.0, persons=1))
        assert isinstance(clip.camera, Camera)
        seen = detector.detect(np.asarray(clip.frames))
        row = []
        for people in ([without_hands(there) for there in seen], seen):
            off = [
                np.linalg.norm(drawn.bodies[0].pose[joints] - true.bodies[0].pose[joints], axis=1).mean()
                for drawn, true in zip(IKRecoverer(body).recover(people, clip.camera), clip.bodies, strict=True)
                if drawn.bodies and true.bodies
            ]
            row.append(float(np.degrees(np.mean(off))))
        halves[number % 2].append(row)
        print(f"  {label:14} {row[0]:5.1f} / {row[1]:5.1f}", flush=True)
    for name, rows in zip(("clips 1, 3, ...", "clips 2, 4, ..."), halves, strict=True):
        print("  mean of {}: {:.1f} / {:.1f}".format(name, *np.mean(rows, axis=0)))


def without_hands(people: FramePeople) -> FramePeople:
    """The same people, whose hands nobody has looked at."""
    return FramePeople(
        tuple(
            replace(p, landmarks=None if p.landmarks is None else replace(p.landmarks, hands=None))
            for p in people.persons
        ),
        people.cover,
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", metavar="CLIP", help="only clips whose name holds one of these; `fingers`")
    args = parser.parse_args()
    body, detector = make_body(BodyParams()), make_detector(DetectParams())
    if not args.clips or "fingers" in args.clips:
        fingers(body, detector)
    known_poses(body)
    head = f"{'clip':26} {'bodies':>6} {'none':>5} {'n':>5} {'mean %':>7} {'p95 %':>6}"
    print(f"\n{head} {'left out':>8} {'believed %':>10} {'p95 %':>6} {'jitter raw':>10} {'mm':>5}", end=" ")
    print(f"{'shake %':>7} {'checked':>7} {'IoU':>5} {'heads':>5} {'off %':>6} {'bodies/s':>8}")
    for name in names():
        if args.clips and not any(c in name for c in args.clips):
            continue
        f = clip(name, body, detector)
        if not f.bodies:
            print(f"{name[:26]:26} {0:6}", flush=True)
            continue
        every, believed = (100 * np.array(v or [np.nan]) for v in (f.every, f.believed))
        print(f"{name[:26]:26} {f.bodies:6} {f.without:5} {len(f.every):5}", end=" ")
        print(f"{every.mean():7.2f} {np.percentile(every, 95):6.2f} {f.left_out:8}", end=" ")
        print(f"{believed.mean():10.2f} {np.percentile(believed, 95):6.2f}", end=" ")
        print(f"{1000 * np.mean(f.raw):10.0f} {1000 * np.mean(f.smooth):5.0f} {100 * np.mean(f.shake):7.2f}", end=" ")
        print(f"{len(f.overlap):7} {np.mean(f.overlap):5.2f} {len(f.heads):5}", end=" ")
        print(f"{100 * np.mean(f.heads or [np.nan]):6.1f} {f.bodies / f.seconds:8.0f}", flush=True)


if __name__ == "__main__":
    main()
