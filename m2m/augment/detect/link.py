"""Track ids across overlapping windows."""

from collections import Counter

import numpy as np

from m2m.augment.detect.boxes import iou
from m2m.augment.detect.track import assign
from m2m.augment.people import FramePeople

SAME_PERSON = 0.3


def link(
    previous: list[FramePeople], following: list[FramePeople], overlap: int, next_id: int
) -> tuple[list[FramePeople], int]:
    """Renames the people of a window so that tracks common with the window before keep their ids.

    Args:
        previous: The window before, already named; empty for the first.
        following: The window to name.
        overlap: Frames both windows share: the last of `previous`, the first of `following`.
        next_id: The first id not yet given.

    Returns:
        `following` with new ids, persons ordered by id, and the first id not yet given.

    Raises:
        ValueError: The windows are shorter than their overlap.
    """
    if overlap > min(len(previous), len(following)):
        raise ValueError(f"windows of {len(previous)} and {len(following)} frames cannot share {overlap}")
    votes: Counter[tuple[int, int]] = Counter()
    pairs = zip(previous[len(previous) - overlap :], following[:overlap], strict=True)
    for before, after in pairs:
        boxes = [np.array([p.box for p in f.persons], np.float32).reshape(-1, 4) for f in (before, after)]
        for row, column in assign(iou(*boxes), SAME_PERSON):
            votes[before.persons[row].track, after.persons[column].track] += 1
    old, new = sorted({a for a, _ in votes}), sorted({b for _, b in votes})
    table = np.array([[votes[a, b] for b in new] for a in old], float).reshape(len(old), len(new))
    names = {new[column]: old[row] for row, column in assign(table, 0)}
    for frame in following:
        for person in frame.persons:
            if person.track not in names:
                names[person.track] = next_id
                next_id += 1
    renamed = []
    for frame in following:
        persons = sorted((p.renamed(names[p.track]) for p in frame.persons), key=lambda p: p.track)
        renamed.append(FramePeople(tuple(persons), frame.cover))
    return renamed, next_id
