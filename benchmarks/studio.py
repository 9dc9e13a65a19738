"""Masks, poses and plates against the studio's truth, one person a clip.

python -m benchmarks.studio [--classes 13] [--seconds 2]
"""

import argparse

import numpy as np
from scipy.spatial.transform import Rotation

from m2m import params
from m2m.augment.bodies import Body, Camera
from m2m.augment.body.skeleton import forward
from m2m.augment.build import make_chain
from m2m.augment.tally import Tally
from m2m.errors import QuarantineError
from m2m.studio import ACTIONS, ClipSpec, draw_clip

LIMBS = {"shoulder": (16, 17), "elbow": (18, 19), "hip": (1, 2), "knee": (4, 5)}
CHILD = {16: 18, 17: 19, 18: 20, 19: 21, 1: 4, 2: 5, 4: 7, 5: 8}


def angles(found: Body, true: Body, joints: np.ndarray, parents: np.ndarray) -> dict[str, list[float]]:
    """Degrees between local rotations, and between the limbs' directions in camera space."""
    errors: dict[str, list[float]] = {"rotation": [], "direction": []}
    a, b = (forward(body.pose, joints, parents)[1] for body in (found, true))
    for pair in LIMBS.values():
        for j in pair:
            local = [Rotation.from_rotvec(body.pose[j]) for body in (found, true)]
            errors["rotation"].append(float(np.degrees((local[0].inv() * local[1]).magnitude())))
            u, v = (x[CHILD[j]] - x[j] for x in (a, b))
            cosine = float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v)))
            errors["direction"].append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
    return errors


def main() -> None:
    """Prints a row a clip and the means over clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=len(ACTIONS))
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    chain = make_chain(params.load("augment", "laptop"))
    body = chain.models.body
    rows = []
    print(
        "clip: mask IoU, cover recall; limb rotation and direction error in degrees; pixels of the person on the plate"
    )
    for label in list(ACTIONS)[: args.classes]:
        truth = draw_clip(ClipSpec(label, seed=args.seed, seconds=args.seconds, persons=1))
        assert isinstance(truth.camera, Camera)
        ious, covered, left, n = [], [], 0, 0
        errors: dict[str, list[float]] = {"rotation": [], "direction": []}
        verdict = "ok"
        try:
            for t, frame in enumerate(chain.run(iter(truth.frames), Tally())):
                mask = np.any(
                    [p.mask for p in frame.people.confirmed] or [np.zeros(truth.masks[t].shape, bool)], axis=0
                )
                true = truth.masks[t]
                ious.append((mask & true).sum() / max((mask | true).sum(), 1))
                covered.append((frame.people.cover & true).sum() / max(true.sum(), 1))
                # A pixel tells of the person where it differs from the true background and still has their colour.
                person = true & (np.abs(truth.frames[t].astype(int) - truth.plates[t]).max(-1) > 40)
                left += int((person & (np.abs(frame.plate.astype(int) - truth.frames[t]).max(-1) < 8)).sum())
                n += int(person.sum())
                if frame.bodies.bodies and truth.bodies[t].bodies:
                    found = angles(frame.bodies.bodies[0], truth.bodies[t].bodies[0], body.rest_joints, body.parents)
                    for k, v in found.items():
                        errors[k] += v
        except QuarantineError as error:
            verdict = f"{error.reason}: {error.what}"
        row = [np.mean(v) if v else np.nan for v in (ious, covered, errors["rotation"], errors["direction"])]
        rows.append([*row, left / max(n, 1)])
        print(f"{label:13s} {row[0]:.3f} {row[1]:.4f} {row[2]:5.1f} {row[3]:5.1f} {left}/{n} {verdict}", flush=True)
    means = np.nanmean(np.array(rows), axis=0)
    print("mean over clips: IoU {:.3f}, recall {:.4f}, rotation {:.1f}, direction {:.1f}, left {:.5f}".format(*means))


if __name__ == "__main__":
    main()
