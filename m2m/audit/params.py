"""The parameters of the audit and of the gate."""

from dataclasses import dataclass

FAULTS = ("unreadable", "error")
"""Reasons of quarantine that are faults of a file or of the program, not decisions about people."""
REQUIRED = ("bytes", "file", "timing", "copies", "faces")
"""Checks that must have been done."""


@dataclass(frozen=True)
class AuditParams:
    """How the audit looks at a clip, and from when on it fails.

    Attributes:
        stride: Every how many frames models look.
        window: Frames that are compared with each other at a time, fewer where they are larger than 432x240. An
            original that comes back later is not found.
        low: Score from which a hit counts when it is seen again in a neighbouring look.
        alarm: Score from which one hit is enough.
        face_scale: Factor by which frames grow before CenterFace looks.
        seen: Score from which a face or person that is found on an original must be gone in the output.
        cell: Side in pixels, at 240 lines, of the cells in which outputs are compared with originals.
        tolerance: Mean difference in brightness, 0 to 255, up to which a cell is still the original's.
        alike: Share of the cells inside a face or a trunk that must be the original's for a copy. On 24 drawn clips, 8
            levels: at most .36 in what M2M wrote, at least .98 in originals encoded at a rate factor of 23, .86 at 28.
        dip: A frame that hardly differs from its original is a copy where it differs by less than this share of what
            frames before and after it do.
        near: Frames on either side that count as neighbours.
        detail: Share of a box's pixels that must differ visibly from their neighbours for a hit on a plate to count, as
            in the verifier.
        drawn: Share of a face's pixels that must have the drawn body's hue for the body to explain the face.
        face_covered: Share of a face's box on the original that must lie inside of the mask.
        person_covered: Share of a person's box on the original that must. Both are a little less than the verifier asks
            for, whose boxes are of other frames.
        patch: Pixels of a connected patch inside of a mask from which it is a leak.
        likeness: Correlation of its gradients with the original's from which it is one.
        outline: Mean pixels by which the drawn outline may be off that of the asked body in two of three neighbouring
            frames, three times as many in one.
        text_looks: Frames of a clip that are read, evenly spread, one a second at most; 0 for none.
        legible: Score of what is read from which it counts.
        letters: Letters and digits from which it does.
        threads: Threads of each model.
    """

    stride: int = 3
    window: int = 240
    low: float = 0.3
    alarm: float = 0.5
    face_scale: float = 1.5
    seen: float = 0.5
    cell: int = 4
    tolerance: float = 8.0
    alike: float = 0.7
    dip: float = 0.3
    near: int = 12
    detail: float = 0.03
    drawn: float = 0.4
    face_covered: float = 0.7
    person_covered: float = 0.3
    patch: int = 64
    likeness: float = 0.9
    outline: float = 0.1
    text_looks: int = 3
    legible: float = 0.8
    letters: int = 3
    threads: int = 2

    def __post_init__(self) -> None:
        for name in ("stride", "cell", "near", "patch", "letters", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.window < 2 * self.stride:
            raise ValueError(f"window must be at least twice the stride, not {self.window}")
        if not 0 < self.low <= self.alarm <= 1:
            raise ValueError(f"0 < low <= alarm <= 1 must hold, not low={self.low}, alarm={self.alarm}")
        if self.text_looks < 0:
            raise ValueError(f"text_looks must be 0 or more, not {self.text_looks}")
        for name in ("seen", "alike", "dip", "drawn", "face_covered", "person_covered", "likeness", "legible"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        for name in ("tolerance", "face_scale", "outline"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(self, name)}")
        if not 0 <= self.detail < 1:
            raise ValueError(f"detail must lie between 0 and 1, not {self.detail}")


@dataclass(frozen=True)
class GateParams:
    """When a merged data set may be used.

    Attributes:
        faults: Reasons of quarantine that stop the run, however few they are.
        max_quarantined: Share of clips that may be quarantined for whatever reason.
        max_failed: Share of the audited clips that may have failed, if `merge` left them out; a released clip that
            failed always stops the run.
        required: Checks that must have been done of every clip: what nobody looked at is not taken for good.
    """

    faults: tuple[str, ...] = FAULTS
    max_quarantined: float = 0.5
    max_failed: float = 0.0
    required: tuple[str, ...] = REQUIRED

    def __post_init__(self) -> None:
        if not 0 <= self.max_quarantined <= 1:
            raise ValueError(f"max_quarantined is 0 to 1, not {self.max_quarantined}")
        if not 0 <= self.max_failed <= 1:
            raise ValueError(f"max_failed is 0 to 1, not {self.max_failed}")
        if not all(self.faults):
            raise ValueError("faults are words such as unreadable, not empty")
        if not all(self.required):
            raise ValueError("required are names of checks such as copies, not empty")
