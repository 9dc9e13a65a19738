"""The parameters of the detect stage."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DetectParams:
    """How the embedded detector looks and what it keeps.

    Attributes:
        backend: `embedded`, the models that ship inside Python wheels.
        threads: Threads of each model; bytes are the same for any number of worker processes, not for any value here.
        search_stride: Every how many frames the pose detector searches the whole frame and big tiles.
        tile_stride: Every how many frames it searches small tiles as well.
        box_stride: Every how many frames SSDLite and the face detector look.
        hand_stride: Every how many frames of a window the fingers of people are looked at; 0 for never: they are drawn
            relaxed.
        pose_birth: Landmark score that starts a pose track.
        pose_keep: Landmark score that keeps one.
        box_score: Lowest SSDLite score that is evidence.
        box_birth: SSDLite score that starts a track of its own.
        face_score: Lowest face score that is evidence.
        selfie_score: Segmentation probability of the whole frame that is evidence.
        refuted: Probability below which a closer look at a pixel refutes the whole frame's segmentation there.
        explained: Share of a person box that segmentation must cover, else the box is filled whole.
        dilate: Diameter in pixels by which evidence is widened, at 240 lines; scales with the frame.
        hold: Frames before and after in which evidence holds.
        gap: Frames over which a track is carried on when nobody is seen (1 s at 25 frames/s).
        nearby: Frames before and after, along a track, in which a family's sighting counts for confirmation.
    """

    backend: str = "embedded"
    threads: int = 1
    search_stride: int = 3
    tile_stride: int = 9
    box_stride: int = 3
    hand_stride: int = 4
    pose_birth: float = 0.9
    pose_keep: float = 0.5
    box_score: float = 0.3
    box_birth: float = 0.5
    face_score: float = 0.6
    selfie_score: float = 0.3
    refuted: float = 0.05
    explained: float = 0.5
    dilate: int = 3
    hold: int = 1
    gap: int = 25
    nearby: int = 25

    def __post_init__(self) -> None:
        if self.backend != "embedded":
            raise ValueError(f"backend is embedded, not {self.backend!r}")
        for name in ("threads", "search_stride", "tile_stride", "box_stride", "dilate", "gap", "nearby"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if min(self.hold, self.hand_stride) < 0:
            raise ValueError(f"hold and hand_stride must be at least 0, not {self.hold} and {self.hand_stride}")
        for name in (
            "pose_birth",
            "pose_keep",
            "box_score",
            "box_birth",
            "face_score",
            "selfie_score",
            "refuted",
            "explained",
        ):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
