"""Coverage: is everybody whom a detector sees on the original inside of what was masked?

The verifier asks the same while a clip is made, of other frames. Here the masks are read from the file that was kept of
them, so a record that was lost, cut off or changed is found too.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from m2m.audit.params import AuditParams
from m2m.audit.residue import doubt_of, sighting
from m2m.audit.rows import Check
from m2m.augment.intermediates import mask_of, read_json_lines
from m2m.augment.people import confirms
from m2m.augment.verify import Doubt, VerifyParams, alarms, box_overlap, covered_share
from m2m.errors import InputError, QuarantineError


@dataclass(frozen=True)
class Masked:
    """What a frame's record says.

    Attributes:
        cover: (H, W) bool, what was painted out; where that was not kept, what had to be.
        tracks: Boxes x0, y0, x1, y1 in pixels by track id.
        confirmed: Tracks of which the models were sure; these get a body.
        front: (H, W) bool, what stands before the bodies; None for nothing.
        known: Whether it was kept what was painted out and what stands before the bodies.
    """

    cover: np.ndarray
    tracks: dict[int, tuple[float, float, float, float]]
    confirmed: frozenset[int]
    front: np.ndarray | None = None
    known: bool = False


def read_masks(path: Path, regions: Path | None = None) -> Iterator[Masked]:
    """The frames of a clip's people, in order, whether `augment` kept them or the detect stage wrote them.

    Args:
        path: The people.
        regions: What the inpaint stage painted out, where that is a file of its own.

    Raises:
        QuarantineError: A file is damaged.
    """
    painted = read_json_lines(regions) if regions is not None else repeat(None)
    try:
        frames = (line for line in read_json_lines(path) if not line.get("context"))
        for line, region in zip(frames, painted, strict=regions is not None):
            boxes, sure = {}, set()
            for person in line["persons"]:
                x, y, width, height = person["bbox"]
                boxes[person["track"]] = (x, y, x + width, y + height)
                if confirms(person["families"]):
                    sure.add(person["track"])
            # The verifier may have painted out more than was found at first.
            done = region if region is not None else line
            front = mask_of(done["front"]) if "front" in done else None
            mask, known = mask_of(done.get("region", line["cover"])), "region" in done
            yield Masked(mask, boxes, frozenset(sure), front, known)
    except (InputError, OSError, ValueError, KeyError, TypeError) as error:
        raise QuarantineError("unreadable", f"the record of masks {path.name} is damaged: {error!r}") from error


class Coverage:
    """Collects what models see on the originals of one clip, beside its masks.

    Args:
        params: Scores and the rule.
    """

    def __init__(self, params: AuditParams) -> None:
        self._params = params
        self._looks: dict[tuple[str, str], list[list[Doubt]]] = {}
        self._least = 1.0
        self._frames = 0
        self._seen: dict[int, tuple[int, tuple[float, float, float, float]]] = {}
        self._covers: deque[np.ndarray] = deque(maxlen=params.near)
        self._gaps: list[Doubt] = []

    def masked(self, t: int, masks: Masked) -> None:
        """Adds a frame's record: a track that comes back must have been covered in between.

        Args:
            t: Its number in the clip; every one must be added, in order.
            masks: What the record says.
        """
        self._frames += 1
        for track, box in masks.tracks.items():
            before, start = self._seen.get(track, (t - 1, box))
            if t - before - 1 > len(self._covers) or box_overlap(start, box) < 0.3:
                before = t - 1  # gone for too long, or to another place
            for missed in range(before + 1, t):
                share = (missed - before) / (t - before)
                x0, y0, x1, y1 = ((1 - share) * a + share * b for a, b in zip(start, box, strict=True))
                covered = covered_share(self._covers[missed - t], (x0, y0, x1, y1))
                if covered < self._params.person_covered:
                    self._gaps.append(Doubt(missed, (x0, y0, x1, y1), "person", "original", "track", 1.0, covered))
            self._seen[track] = (t, box)
        self._covers.append(masks.cover)

    def look(self, t: int, faces: np.ndarray, people: np.ndarray, cover: np.ndarray) -> None:
        """Adds a look at an original.

        Args:
            t: Its number in the clip.
            faces: (N, 5) x0, y0, x1, y1, score.
            people: (N, 5), the same.
            cover: (H, W) bool.
        """
        params = self._params
        for kind, source, hits, enough in (
            ("face", "centerface", faces, params.face_covered),
            ("person", "ssdlite", people, params.person_covered),
        ):
            look = []
            for hit in hits[hits[:, 4] >= params.low]:
                share = covered_share(cover, hit[:4])
                self._least = min(self._least, share)
                if share < enough:
                    look.append(doubt_of(t, hit, kind, "original", source, share))
            self._looks.setdefault((kind, source), []).append(look)

    def check(self, n_frames: int) -> Check:
        """The verdict about the whole clip.

        Args:
            n_frames: Frames that the clip has.
        """
        rule = VerifyParams(low=self._params.low, alarm=self._params.alarm)
        found = [d for looks in self._looks.values() for d in alarms(looks, rule)] + self._gaps
        figures = {
            "frames": self._frames,
            "looks": max(map(len, self._looks.values()), default=0),
            "least_covered": round(self._least, 3),
        }
        if self._frames != n_frames:
            return Check(False, {**figures, "why": f"the masks are of {self._frames} frames, the clip has {n_frames}"})
        if not found:
            return Check(True, figures)
        best = sorted(found, key=lambda d: (-d.score, d.frame))[:5]
        top = best[0]
        why = (
            f"{len(found)} sighting(s) outside of the masks, highest a {top.kind} at frame {top.frame} by {top.source}"
        )
        why += f", {top.score:.2f}, {top.covered:.0%} covered"
        return Check(False, {**figures, "why": why, "sightings": [sighting(d) for d in best]})
