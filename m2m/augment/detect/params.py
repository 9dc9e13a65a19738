"""The parameters of the detect stage."""

from dataclasses import dataclass, field

OFFICIAL = "mask_rcnn_R_101_FPN_3x"
MODELS = (OFFICIAL, "maskrcnn_resnet50_fpn_v2_coco")
BACKENDS = ("embedded", "torchvision", "detectron2")


@dataclass(frozen=True)
class MaskRCNNParams:
    """How Mask R-CNN looks.

    Attributes:
        weights: A checkpoint of the model; empty for the one in the folder of weights, `random` for a trial whose
            results mean nothing.
        model: `mask_rcnn_R_101_FPN_3x`, the paper's, or, of torchvision alone, `maskrcnn_resnet50_fpn_v2_coco`.
        short_side: What the shorter side of a frame is resized to, pixels,
        long_side: unless the longer one became longer than this.
        score: Score that starts a person, as the paper's; down to `box_score` an instance is evidence.
        batch: Frames at a time.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        half: Features in float16 on a GPU.
    """

    weights: str = ""
    model: str = OFFICIAL
    short_side: int = 800
    long_side: int = 1333
    score: float = 0.5
    batch: int = 8
    device: str = "auto"
    half: bool = True

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"model is {' or '.join(MODELS)}, not {self.model!r}")
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, not {self.batch}")
        if not 32 <= self.short_side <= self.long_side:
            raise ValueError(f"short_side must lie between 32 and long_side, {self.long_side}, not {self.short_side}")
        if not 0 < self.score < 1:
            raise ValueError(f"score must lie between 0 and 1, not {self.score}")


@dataclass(frozen=True)
class DetectParams:
    """How the detector looks and what it keeps.

    Attributes:
        backend: `embedded`, the models that ship inside Python wheels; `torchvision` or `detectron2`: Mask R-CNN in
            SSDLite's place.
        witnesses: Look with the pose model, segmentation and the face detector too; false: with Mask R-CNN alone, as
            the paper does.
        threads: Threads of each model; bytes are the same for any number of worker processes, not for any value here.
        search_stride: Every how many frames the pose detector searches the whole frame and big tiles.
        tile_stride: Every how many frames it searches small tiles as well.
        box_stride: Every how many frames SSDLite and the face detector look; Mask R-CNN looks at all.
        hand_stride: Every how many frames of a window the fingers of people are looked at; 0 for never: they are drawn
            relaxed.
        pose_birth: Landmark score that starts a pose track.
        pose_keep: Landmark score that keeps one.
        box_score: Lowest score of SSDLite or Mask R-CNN that is evidence.
        box_birth: SSDLite score that starts a track of its own.
        face_score: Lowest face score that is evidence.
        selfie_score: Segmentation probability of the whole frame that is evidence.
        refuted: Probability below which a closer look at a pixel refutes the whole frame's segmentation there.
        explained: Share of a person box that segmentation must cover, else the box is filled whole.
        dilate: Diameter in pixels by which evidence is widened, at 240 lines; scales with the frame.
        hold: Frames before and after in which evidence holds.
        gap: Frames over which a track is carried on when nobody is seen (1 s at 25 frames/s).
        nearby: Frames before and after, along a track, in which a family's sighting counts for confirmation.
        mask_rcnn: How Mask R-CNN looks, for the backends that use it.
    """

    backend: str = "embedded"
    witnesses: bool = True
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
    mask_rcnn: MaskRCNNParams = field(default_factory=MaskRCNNParams)

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(f"backend is {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}, not {self.backend!r}")
        if self.backend == "embedded" and not self.witnesses:
            raise ValueError("the backend embedded is nothing without its witnesses")
        if self.backend == "detectron2" and self.mask_rcnn.model != OFFICIAL:
            raise ValueError(f"the backend detectron2 runs {OFFICIAL}, not {self.mask_rcnn.model}")
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

    @property
    def segments(self) -> bool:
        """Whether the model of boxes gives every box a mask of its own: Mask R-CNN does."""
        return self.backend != "embedded"

    @property
    def box_family(self) -> str:
        """The model of boxes, one of `people.FAMILIES`."""
        return "mask_rcnn" if self.segments else "ssdlite"

    @property
    def birth(self) -> float:
        """Score of a box that starts a track of its own."""
        return self.mask_rcnn.score if self.segments else self.box_birth

    @property
    def box_reach(self) -> int:
        """Frames before and after a look in which a box holds: until the next look, and some more."""
        return self.hold + (0 if self.segments else self.box_stride // 2)
