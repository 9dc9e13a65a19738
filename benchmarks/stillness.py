"""How still bodies are: on real clips, and on the studio, whose truth is known.

    python -m benchmarks.stillness [CLIP ...]

*Contact*: pairs of frames in which a visible ankle landmark of the detector moves less than .5 px, and of those the
share in which the drawn ankle moves more, and how far (px, 95th percentile). *Scale*: change of the body's distance
between frames in percent, which is that of its size in the picture: of standing people (both ankles in contact, hips
above knees above ankles) the 95th percentile and most, and most of everybody. *Depth*: second difference of the
distance in mm. *Turn*: change of heading between frames in degrees, seen from above, where the body stands upright
within 60 degrees; most, and the pairs of frames above 15 (450 degrees a second at 30 frames/s). Of the studio, one
person a clip, a second line takes contact and standing from the true ankles in place of the landmarks.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.clips import frames_of, names, stretch_of
from m2m.augment.bodies import Body, BodyModel, Camera, FrameBodies, Recoverer
from m2m.augment.body import BodyParams, make_body
from m2m.augment.body.skeleton import rotation_matrices
from m2m.augment.detect import DetectParams, make_detector
from m2m.augment.detect.shots import ShotDetector
from m2m.augment.people import Detector, FramePeople, Landmarks, Person
from m2m.augment.recover import RecoverParams, make_recoverer
from m2m.augment.recover import skeleton as sk
from m2m.augment.steps import Finder
from m2m.augment.tally import Tally
from m2m.augment.window import WindowParams, windows
from m2m.studio import ACTIONS, ClipSpec, draw_clip

STILL, VISIBLE = 0.5, 0.5
SUDDEN = 15.0
LEVEL = 0.5
"""Length of a body's axis seen from above (from its front and its side) under which it has no heading."""


@dataclass
class Figures:
    """What is measured of one clip.

    Attributes:
        ankles: Motion of drawn ankles while their landmarks are still, pixels a frame.
        standing: Relative change of distance between frames, of people who stand.
        scale: The same of everybody.
        depth: Second difference of the distance, metres.
        turn: Change of heading between frames, degrees.
    """

    ankles: list[float] = field(default_factory=list)
    standing: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    depth: list[float] = field(default_factory=list)
    turn: list[float] = field(default_factory=list)


@dataclass
class Step:
    """One body in one frame: its ankles in the picture (2, 2), distance, heading (radians or NaN), the landmarks."""

    ankles: np.ndarray
    distance: float
    heading: float
    marks: Landmarks | None


def heading(pose: np.ndarray) -> float:
    """Direction in which a body looks, seen from above; NaN where it lies or stands on its head."""
    turned = rotation_matrices(pose[:1])[0]
    up, side = turned[:, 1], turned[:, 0] * [1, 0, 1]
    if -up[1] < LEVEL or np.linalg.norm(side) < LEVEL:
        return float("nan")
    return float(np.arctan2(side[2], side[0]))


def step(model: BodyModel, body: Body, marks: Landmarks | None, camera: Camera) -> Step:
    """What is looked at of one body."""
    joints = model.joints(body.pose, body.transl)
    return Step(camera.project(joints[list(sk.ANKLES)]), float(body.transl[2]), heading(body.pose), marks)


def add(one: Step, two: Step, figures: Figures) -> None:
    """Adds what changes from one frame to the next."""
    scale = abs(two.distance / one.distance - 1)
    figures.scale.append(scale)
    turn = abs((np.degrees(two.heading - one.heading) + 180) % 360 - 180)
    figures.turn += [float(turn)] if np.isfinite(turn) else []
    a, b = one.marks, two.marks
    if a is None or b is None:
        return
    ankles = list(sk.ANKLE_MARKS)
    moved = np.linalg.norm(b.image[ankles] - a.image[ankles], axis=1)
    still = (moved < STILL) & (np.minimum(a.visibility, b.visibility)[ankles] > VISIBLE)
    figures.ankles += np.linalg.norm(two.ankles - one.ankles, axis=1)[still].tolist()
    rows = [b.image[list(marks), 1].mean() for marks in (sk.HIP_MARKS, sk.KNEE_MARKS, sk.ANKLE_MARKS)]
    if still.all() and rows == sorted(rows):
        figures.standing.append(scale)


def measure(model: BodyModel, shot: list[tuple[FramePeople, FrameBodies]], camera: Camera, figures: Figures) -> None:
    """Adds the bodies of a shot."""
    tracks: dict[int, dict[int, Step]] = {}
    for t, (people, bodies) in enumerate(shot):
        marks = {p.track: p.landmarks for p in people.persons}
        for body in bodies.bodies:
            tracks.setdefault(body.track, {})[t] = step(model, body, marks.get(body.track), camera)
    for steps in tracks.values():
        for t, two in steps.items():
            if t - 1 in steps:
                add(steps[t - 1], two, figures)
            if t - 1 in steps and t - 2 in steps:
                bend = two.distance - 2 * steps[t - 1].distance + steps[t - 2].distance
                figures.depth.append(abs(bend))


def shots(
    frames: Iterable[np.ndarray], stretch: float, detector: Detector, recoverer: Recoverer
) -> Iterator[list[tuple[FramePeople, FrameBodies]]]:
    """The people and bodies of every shot, its windows joined as in the chain."""
    finder, number = Finder(detector, WindowParams(), stretch), 0
    shot: list[tuple[FramePeople, FrameBodies]] = []
    for window in windows(frames, ShotDetector(), WindowParams()):
        if window.shot != number:
            yield shot
            shot, number = [], window.shot
        people = finder.find(window, Tally())
        height, width = window.frames.shape[1:3]
        bodies = recoverer.recover(people, Camera.default(width, height, stretch))
        shot += list(zip(people, bodies, strict=True))[window.start : window.stop]
    yield shot


def seen_truly(
    model: BodyModel, shot: list[tuple[FramePeople, FrameBodies]], true: list[FrameBodies], camera: Camera
) -> list[tuple[FramePeople, FrameBodies]]:
    """The bodies of a studio clip of one person, with the true joints in place of the detector's landmarks."""
    out = []
    for (people, bodies), truth in zip(shot, true, strict=True):
        persons = []
        if truth.bodies:
            joints = camera.project(model.joints(truth.bodies[0].pose, truth.bodies[0].transl))
            image, ones = np.zeros((33, 2), np.float32), np.ones(33, np.float32)
            image[list(sk.MAJOR.values())] = joints[list(sk.MAJOR)]
            marks = Landmarks(image, ones, ones, ones, np.zeros((33, 3), np.float32), 1.0)
            box = np.concatenate([image.min(0), image.max(0)])
            persons = [Person(b.track, box, 1.0, people.cover, frozenset(), marks) for b in bodies.bodies]
        out.append((FramePeople(tuple(persons), people.cover), bodies))
    return out


def row(name: str, f: Figures) -> str:
    """The figures of a clip in a line."""
    ankles, standing, scale, depth, turn = (
        np.array(v or [np.nan]) for v in (f.ankles, f.standing, f.scale, f.depth, f.turn)
    )
    return (
        f"{name[:26]:26} {len(f.ankles):6} {100 * np.mean(ankles > STILL):7.2f} {np.percentile(ankles, 95):6.2f} "
        f"{np.max(ankles):6.2f} {len(f.standing):6} {100 * np.percentile(standing, 95):6.2f} "
        f"{100 * np.max(standing):6.2f} {100 * np.max(scale):7.2f} "
        f"{1000 * np.mean(depth):6.1f} {1000 * np.percentile(depth, 95):6.1f} {1000 * np.max(depth):7.1f} "
        f"{np.max(turn):6.1f} {int((turn > SUDDEN).sum()):6}"
    )


HEAD = (
    f"{'clip':26} {'pairs':>6} {'slips %':>7} {'p95':>6} {'most':>6} {'stand':>6} {'p95 %':>6} {'most':>6} {'all':>7} "
    f"{'mm':>6} {'p95':>6} {'most':>7} {'turn':>6} {'sudden':>6}"
)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", metavar="CLIP", help="only clips whose name holds one of these")
    args = parser.parse_args()
    model, detector = make_body(BodyParams()), make_detector(DetectParams())
    recoverer = make_recoverer(RecoverParams(), model)
    print(HEAD)
    for name in names():
        if not args.clips or any(c in name for c in args.clips):
            figures, stretch = Figures(), stretch_of(name)
            for shot in shots(frames_of(name), stretch, detector, recoverer):
                people = shot[0][0].cover.shape if shot else (0, 0)
                measure(model, shot, Camera.default(people[1], people[0], stretch), figures)
            print(row(name, figures), flush=True)
    for label in ACTIONS:
        if not args.clips or any(c in f"studio {label}" for c in args.clips):
            clip = draw_clip(ClipSpec(label, seed=11, seconds=2.0, persons=1))
            assert isinstance(clip.camera, Camera)
            [shot] = shots(iter(clip.frames), 1.0, detector, recoverer)
            drawn, known = Figures(), Figures()
            measure(model, shot, clip.camera, drawn)
            measure(model, seen_truly(model, shot, clip.bodies, clip.camera), clip.camera, known)
            print(row(f"studio {label}", drawn), flush=True)
            print(row("  by true ankles", known), flush=True)


if __name__ == "__main__":
    main()
