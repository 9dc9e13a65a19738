"""Tracks: everybody in a window."""

import numpy as np

from m2m.augment.detect.blazepose import FACE
from m2m.augment.detect.boxes import box_of, fill_box, inside, iou
from m2m.augment.detect.heads import add_faces
from m2m.augment.detect.looks import Looks, pose_box
from m2m.augment.detect.params import DetectParams
from m2m.augment.detect.track import Track, assign, near

SAME_BOX = 0.3
PART_OF = 0.6
DOUBLE = 0.5
TWO_FACES = 2
"""Looks in which each of two tracks has a face of its own: then they are two people, wherever their boxes lie."""
SAME_MASK = 0.7
APART = 0.2
"""Share of the common frames in which two people who pass each other must be apart."""
LONG = 0.34
"""Share of the other's frames from which a track is long."""
MAX_OVERLAP = 10
SPECK = 100
"""Pixels below which a piece of segmentation is nobody to follow."""
STRIDE = 0.1
"""How far somebody moves in a frame at the most, in widths."""


def build_tracks(looks: Looks, params: DetectParams) -> list[Track]:
    """Everybody in a window, in order of appearance.

    Args:
        looks: The evidence.
        params: Scores and reaches.
    """
    tracks = _pose_tracks(looks)
    for t in sorted(looks.boxes):
        _add_boxes(tracks, t, looks.boxes[t], params)
    for t in sorted(looks.faces):
        add_faces(tracks, t, looks)
    tracks = _without_doubles([track for track in tracks if len(track.boxes) > 1 or len(looks) == 1], looks)
    tracks = _stitch(tracks, params.gap, looks)
    for track in tracks:
        _add_selfie(track, looks)
    for track in tracks:
        _follow(track, tracks, looks, params.gap)
    return sorted(tracks, key=lambda track: (track.first, *track.boxes[track.first].tolist()))


def _pose_tracks(looks: Looks) -> list[Track]:
    tracks: dict[int, Track] = {}
    for t, poses in enumerate(looks.poses):
        for name, pose in sorted(poses.items()):
            track = tracks.setdefault(name, Track())
            track.see(t, "pose", pose_box(pose, looks.width), pose.landmarks.score)
            track.poses[t] = name
            track.heads[t] = pose.landmarks.image[FACE].mean(0)
    return list(tracks.values())


def _add_boxes(tracks: list[Track], t: int, boxes: np.ndarray, params: DetectParams) -> None:
    """The boxes of one frame: they join tracks, are parts of somebody, or start a track."""
    known = near(tracks, t)
    there = np.array([track.nearest(t) for track in known], np.float32).reshape(-1, 4)
    pairs = dict(assign(iou(boxes, there), SAME_BOX))
    owners = {row: known[column] for row, column in pairs.items()}
    for row, track in owners.items():
        track.see(t, params.box_family, boxes[row], float(boxes[row, 4]))
    for row, box in enumerate(boxes):
        if row in pairs:
            continue
        part = inside(box[None], there)[0]
        if len(part) and part.max() >= PART_OF:  # a half seen by one model, the whole by the other
            whole = int(part.argmax())
            if iou(box[None], there[whole][None])[0, 0] >= 0.15:
                known[whole].see(t, params.box_family, there[whole], float(box[4]))
        elif box[4] >= params.birth:
            owners[row] = Track()
            owners[row].see(t, params.box_family, box, float(box[4]))
            tracks.append(owners[row])
    if params.segments:
        for row, track in owners.items():
            track.instances[t] = row


def _without_doubles(tracks: list[Track], looks: Looks) -> list[Track]:
    """Joins a track that runs inside a longer one to it: one person seen twice."""
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda k: k.first - k.last):
        owner = next((other for other in kept if _doubles(track, other, looks)), None)
        if owner is None:
            kept.append(track)
        else:
            owner.absorb(track)
    return kept


def _doubles(track: Track, other: Track, looks: Looks) -> bool:
    """Whether a track runs inside a longer one.

    Two long tracks with masks of their own are two people, unless the masks coincide; a short one is a limb of
    somebody unless it leaves his box.
    """
    common = [t for t in track.boxes if other.first <= t <= other.last]
    if 2 * len(common) <= len(track.boxes):
        return False
    if len(track.seen_by("face") & other.seen_by("face")) >= TWO_FACES:
        return False
    together = _together(track, other)
    both = len(together) > 0.2 * len(track.boxes)
    if both and len(track.boxes) >= LONG * len(other.boxes):
        return _coincide(track, other, together, looks)
    part = [float(inside(track.boxes[t][None], other.box_at(t)[None])[0, 0]) for t in common]
    return float(np.quantile(part, APART if both else 0.5)) > DOUBLE


def _together(a: Track, b: Track) -> list[int]:
    """Frames in which both of two tracks have a mask of their own."""
    return sorted((a.poses.keys() | a.instances.keys()) & (b.poses.keys() | b.instances.keys()))


def own_mask(track: Track, t: int, looks: Looks) -> np.ndarray:
    """(H, W) bool, what a track's pose or instance in a frame shows of the person; nothing where it has neither."""
    mask = np.zeros((looks.height, looks.width), bool)
    if t in track.poses and track.poses[t] in looks.poses[t]:
        mask |= looks.pose_mask(t, track.poses[t])
    if t in track.instances:
        mask |= looks.box_mask(t, track.instances[t])
    return mask


def _coincide(track: Track, other: Track, together: list[int], looks: Looks) -> bool:
    """Whether two tracks' own masks are one in the frames that both have: one may pass before the other."""
    masks = [(own_mask(track, t, looks), own_mask(other, t, looks)) for t in together]
    shared = [(a & b).sum() / max(min(a.sum(), b.sum()), 1) for a, b in masks]
    return float(np.quantile(shared, APART)) > SAME_MASK


def _stitch(tracks: list[Track], gap: int, looks: Looks) -> list[Track]:
    """Joins a track's end to another's start over at most `gap` frames, or a short overlap, by where the boxes are."""
    tracks = sorted(tracks, key=lambda k: (k.first, k.last))
    scores = np.zeros((len(tracks), len(tracks)))
    for i, a in enumerate(tracks):
        for j, b in enumerate(tracks):
            if 0 < b.first - a.last <= gap:
                scores[i, j] = continuation(a.boxes[a.last], b.boxes[b.first], b.first - a.last)
            elif i < j and a.first < b.first and a.last < b.last and 0 <= a.last - b.first < MAX_OVERLAP:
                together = _together(a, b)
                apart = len(together) >= 3 and not _coincide(a, b, together, looks)
                scores[i, j] = 0 if apart else iou(a.box_at(b.first)[None], b.boxes[b.first][None])[0, 0]
    followed = dict(assign(scores, 0.2))
    heads = {i: i for i in range(len(tracks))}
    for i in range(len(tracks)):  # in order of time: a head is final before its followers ask for it
        if i in followed:
            heads[followed[i]] = heads[i]
            tracks[heads[i]].absorb(tracks[followed[i]])
    return [tracks[i] for i in range(len(tracks)) if heads[i] == i]


def continuation(a: np.ndarray, b: np.ndarray, frames: int) -> float:
    """How likely one person's box went from `a` to `b`, in [0, 1]: near for its size and of like height.

    People cross about their own width in a third of a second; the tolerance grows from half a box to one and a half.
    """
    size_a, size_b = a[2:4] - a[:2], b[2:4] - b[:2]
    scale = float(np.sqrt(max(size_a.max(), 1) * max(size_b.max(), 1)))
    apart = float(np.hypot(*((a[:2] + a[2:4]) / 2 - (b[:2] + b[2:4]) / 2))) / scale
    alike = float(min(size_a.max(), size_b.max()) / max(size_a.max(), size_b.max(), 1))
    tolerance = 0.5 + min(frames / 25, 1.0)
    return max(0.0, 1 - apart / tolerance) * alike


def _add_selfie(track: Track, looks: Looks) -> None:
    """The whole frame's segmentation as a witness: it fills the person's mask, or enough of the box."""
    for t, box in track.boxes.items():
        person = looks.segmented(t, 0.5)
        where, least = own_mask(track, t, looks), 0.5
        if not where.any() and not (t in track.poses and track.poses[t] in looks.poses[t]):
            least = 0.3
            x0, y0, x1, y1 = (max(0, int(v)) for v in box)
            where[y0:y1, x0:x1] = True
        if where.any() and person[where].mean() >= least:
            track.witnesses.setdefault("selfie", set()).add(t)


def _follow(track: Track, tracks: list[Track], looks: Looks, gap: int) -> None:
    """Carries a track on beyond its ends, for at most `gap` frames, while segmentation shows somebody who moves on.

    What other tracks' own masks hold is theirs. A piece must keep half of the area that it had, or the person is gone.
    """
    for end, step in ((track.last, 1), (track.first, -1)):
        piece = _piece(track, tracks, end, track.boxes[end], looks)
        box, area = track.boxes[end], int(piece.sum())
        for t in range(end + step, end + step * (gap + 1), step):
            if not 0 <= t < len(looks) or area < SPECK:
                break
            piece = _piece(track, tracks, t, box, looks)
            if piece.sum() < area / 2:
                break
            box = box_of(piece)
            track.see(t, "selfie", box, float(looks.selfie[t][piece].mean()) / 255)


def _piece(track: Track, tracks: list[Track], t: int, box: np.ndarray, looks: Looks) -> np.ndarray:
    """(H, W) bool, the segmentation in and around a box that is in no other track's own mask."""
    around = np.zeros((looks.height, looks.width), bool)
    fill_box(around, box, STRIDE * float((box[2:] - box[:2]).min()))
    piece = looks.segmented(t, 0.5) & around
    for other in tracks:
        if other is not track:
            piece &= ~own_mask(other, t, looks)
    return piece
