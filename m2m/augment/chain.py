"""The chain of the paper's figure 2 for one clip, in memory, window by window."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from m2m.augment.bodies import BodyModel, Camera, FrameBodies, Recoverer, Renderer
from m2m.augment.compose import MESHED, NOT_PRIVATE, PAINTED, ComposeParams, obscure, over
from m2m.augment.detect.link import link
from m2m.augment.detect.shots import ShotDetector
from m2m.augment.inpaint.region import RegionParams, paint_region
from m2m.augment.people import Detector, FramePeople
from m2m.augment.plate import Inpainter, Plate
from m2m.augment.verify import Doubt, Hits, Verifier, VerifyParams, add_doubts, look_times
from m2m.augment.window import Window, WindowParams, windows
from m2m.errors import InputError, QuarantineError


@dataclass(frozen=True)
class Models:
    """The backends of one chain."""

    detector: Detector
    inpainter: Inpainter
    recoverer: Recoverer
    body: BodyModel
    renderer: Renderer
    verifier: Verifier


@dataclass(frozen=True)
class ChainParams:
    """The parameters the chain itself reads."""

    window: WindowParams
    region: RegionParams
    compose: ComposeParams
    verify: VerifyParams
    allow_empty: bool = False

    def __post_init__(self) -> None:
        if self.verify.spread > self.window.context:
            raise InputError(
                f"verify.spread is {self.verify.spread} and window.context {self.window.context} frames",
                "a doubt must not reach beyond a window's context: lower the one or raise the other",
            )


@dataclass(frozen=True)
class Composed:
    """One finished frame.

    Attributes:
        image: (H, W, 3) uint8 RGB, what is released.
        plate: (H, W, 3) uint8 RGB, the frame without people.
        source: (H, W, 3) uint8 RGB, the original.
        region: (H, W) bool, what was painted out.
        people: Who was found.
        bodies: What was drawn.
    """

    image: np.ndarray
    plate: np.ndarray
    source: np.ndarray
    region: np.ndarray
    people: FramePeople
    bodies: FrameBodies


@dataclass
class Tally:
    """The figures of one clip, added up frame by frame.

    Attributes:
        frames: Frames composed.
        with_people: Frames with a person on whom two models agree.
        with_bodies: Frames with a body drawn.
        without_body: Confirmed people of a frame who got no body, summed over frames.
        tracks: Ids of confirmed people.
        masked: Sum over frames of the share of pixels painted out.
        borrowed: Sum over frames with a region of the share filled from other frames.
        painted: Frames with a region.
        shots: Shots seen.
        doubts: Doubts after the first look, by `where/kind/source`.
        remasked: Windows masked once more.
        blacked_out: Frames filled with black.
        seconds: Time by stage; `look` runs beside `detect`, and `wait` is what it takes longer.
    """

    frames: int = 0
    with_people: int = 0
    with_bodies: int = 0
    without_body: int = 0
    tracks: set[int] = field(default_factory=set)
    masked: float = 0.0
    borrowed: float = 0.0
    painted: int = 0
    shots: int = 0
    doubts: Counter[str] = field(default_factory=Counter)
    remasked: int = 0
    blacked_out: int = 0
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the time of a block to a stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begin

    def add(self, frame: Composed, borrowed: float, composed: ComposeParams) -> None:
        """Counts one composed frame."""
        confirmed = {p.track for p in frame.people.confirmed}
        drawn = {b.track for b in frame.bodies.bodies}
        self.frames += 1
        self.with_people += bool(confirmed)
        self.with_bodies += bool(drawn)
        self.without_body += len(confirmed - drawn) if composed.variant in MESHED else 0
        self.tracks |= confirmed
        self.masked += float(frame.region.mean())
        if frame.region.any():
            self.painted += 1
            self.borrowed += borrowed

    def summary(self) -> dict:
        """The figures as JSON: counts, shares in [0, 1], seconds."""
        frames = max(self.frames, 1)
        return {
            "frames": self.frames,
            "shots": self.shots,
            "people": len(self.tracks),
            "frames_with_people": self.with_people,
            "frames_with_bodies": self.with_bodies,
            "people_without_body": self.without_body,
            "masked_share": round(self.masked / frames, 4),
            "borrowed_share": round(self.borrowed / max(self.painted, 1), 4),
            "doubts": dict(sorted(self.doubts.items())),
            "windows_remasked": self.remasked,
            "frames_blacked_out": self.blacked_out,
            "seconds": {k: round(v, 3) for k, v in sorted(self.seconds.items())},
        }


def _evidence(doubts: list[Doubt], first: int, start: int) -> list[dict]:
    """The strongest doubts, with frames counted in the clip."""
    strongest = sorted(doubts, key=lambda d: (-d.score, d.frame, d.source))[:10]
    return [
        {**asdict(d), "frame": first + d.frame - start, "box": [round(v, 1) for v in d.box], "score": round(d.score, 3)}
        for d in strongest
    ]


class Chain:
    """Detect, inpaint, recover, compose and verify one clip.

    Args:
        models: Backends.
        params: What to compose and when to refuse.
    """

    def __init__(self, models: Models, params: ChainParams) -> None:
        self.models = models
        self.params = params

    def run(self, frames: Iterable[np.ndarray], tally: Tally) -> Iterator[Composed]:
        """Composes a clip.

        Frames come out while the clip is read, so a caller must drop what it has written when this raises.

        Args:
            frames: (H, W, 3) uint8 RGB, in order.
            tally: Figures are added here.

        Yields:
            A composed frame for every frame read, in order.

        Raises:
            QuarantineError: `verifier`, `nobody` or `no_background`.
        """
        camera: Camera | None = None
        previous: list[FramePeople] = []
        next_id = 0
        for window in windows(frames, ShotDetector(), self.params.window):
            height, width = window.frames.shape[1:3]
            camera = camera or Camera.default(width, height)
            # The verifier's look at the originals needs no masks: it runs beside their making.
            with ThreadPoolExecutor(1) as beside:
                seen = beside.submit(self._look, window, tally)
                with tally.timed("detect"):
                    found = self.models.detector.detect(window.frames)
                people, next_id = link(previous, found, window.overlap, next_id)
                previous = people[-2 * self.params.window.context :]  # all that the next window can share
                with tally.timed("wait"):
                    hits = seen.result()
                plate, black = self._paint(window, people, hits, tally)
            with tally.timed("recover"):
                bodies = self._bodies(people, camera)
            tally.shots = window.shot + 1
            for t in range(window.start, window.stop):
                with tally.timed("compose"):
                    frame = self._compose(window, people[t], plate, bodies[t], t, camera, bool(black[t]))
                tally.blacked_out += bool(black[t])
                tally.add(frame, float(plate.borrowed[t]), self.params.compose)
                yield frame
            del window, found, people, plate, bodies, frame, hits  # or two windows would be in memory at once
        self._judge(tally)

    def _judge(self, tally: Tally) -> None:
        """What only the whole clip tells."""
        share = tally.masked / max(tally.frames, 1)
        if not tally.with_people and not self.params.allow_empty:
            raise QuarantineError("nobody", "no person was found on whom two models agree", {"masked_share": share})
        if share > self.params.verify.max_region:
            text = f"{share:.0%} of the picture is painted out, more than {self.params.verify.max_region:.0%}"
            raise QuarantineError("no_background", text, {"masked_share": share})

    def _times(self, window: Window) -> list[int]:
        n, stride = len(window.frames), self.params.verify.stride
        return look_times(n, window.first, window.start, window.stop, stride)

    def _look(self, window: Window, tally: Tally) -> list[Hits]:
        if self.params.compose.variant in NOT_PRIVATE:
            return []
        with tally.timed("look"):
            return self.models.verifier.look(window.frames, self._times(window))

    def _paint(
        self, window: Window, people: list[FramePeople], seen: list[Hits], tally: Tally
    ) -> tuple[Plate, np.ndarray]:
        """The plate of a window and which of its frames must be black.

        Doubts are masked once more; what is still in doubt then is refused or blacked out.
        """
        frames = window.frames
        cover = np.stack([p.cover for p in people])
        nothing = np.zeros(len(frames), bool)
        variant = self.params.compose.variant
        if variant in NOT_PRIVATE:
            return Plate(frames, cover & False, np.zeros(len(frames), np.float32)), nothing
        # Where nobody is confirmed there is no pose to hide, and a hull would only cost background.
        somebody = any(p.confirmed for p in people)
        region = self._region(frames, cover, somebody, tally)
        with tally.timed("verify"):
            doubts = self.models.verifier.originals(frames, seen, region)
        if doubts:
            cover = add_doubts(cover, doubts, self.params.verify.spread)
            region = self._region(frames, cover, somebody, tally)
        if variant not in PAINTED:
            self._count(doubts, tally)
            return Plate(frames, region, np.zeros(len(frames), np.float32)), nothing
        plate, left = self._fill(window, region, cover, tally)
        self._count(doubts + left, tally)
        if left:
            cover = add_doubts(cover, left, self.params.verify.spread)
            plate, left = self._fill(window, self._region(frames, cover, somebody, tally), cover, tally)
        near = range(window.start - self.params.verify.stride, window.stop + self.params.verify.stride)
        if any(d.frame in near for d in left) and self.params.verify.on_doubt == "quarantine":
            counts = Counter(f"{d.kind} by {d.source}" for d in left)
            text = "still on the plate after masking once more: " + ", ".join(f"{n} x {k}" for k, n in counts.items())
            raise QuarantineError("verifier", text, {"doubts": _evidence(left, window.first, window.start)})
        black = nothing.copy()
        for d in left:
            black[max(0, d.frame - self.params.verify.spread) : d.frame + self.params.verify.spread + 1] = True
        return plate, black

    @staticmethod
    def _count(doubts: list[Doubt], tally: Tally) -> None:
        tally.doubts.update(f"{d.where}/{d.kind}/{d.source}" for d in doubts)
        tally.remasked += bool(doubts)

    def _region(self, frames: np.ndarray, cover: np.ndarray, somebody: bool, tally: Tally) -> np.ndarray:
        """What is painted out: the plate's region, or the cover itself for the classical variants."""
        if self.params.compose.variant not in PAINTED:
            return cover
        with tally.timed("inpaint"):
            params = self.params.region if somebody else replace(self.params.region, outline="dilate")
            return paint_region(frames, cover, params)

    def _fill(self, window: Window, region: np.ndarray, cover: np.ndarray, tally: Tally) -> tuple[Plate, list[Doubt]]:
        """A plate and who is still on it."""
        with tally.timed("inpaint"):
            plate = self.models.inpainter.fill(window.frames, region, cover)
        with tally.timed("verify"):
            return plate, self.models.verifier.plates(plate.frames, plate.region, self._times(window))

    def _bodies(self, people: list[FramePeople], camera: Camera) -> list[FrameBodies]:
        if self.params.compose.variant not in MESHED:
            return [FrameBodies(())] * len(people)
        return self.models.recoverer.recover(people, camera)

    def _compose(
        self,
        window: Window,
        people: FramePeople,
        plate: Plate,
        bodies: FrameBodies,
        t: int,
        camera: Camera,
        black: bool,
    ) -> Composed:
        source, variant = window.frames[t], self.params.compose.variant
        image = plate.frames[t]
        if black:
            image = np.zeros_like(source)
        elif variant in MESHED:
            meshes = [self.models.body.vertices(b.pose, b.transl) for b in bodies.bodies]
            image = (
                over(image, self.models.renderer.render(meshes, self.models.body.faces, camera)[0]) if meshes else image
            )
        elif variant not in PAINTED:
            image = obscure(source, plate.region[t], self.params.compose)
        # Without a plate of its own a classical variant shows its result: what it was made from is the original.
        shown = image if black or variant not in PAINTED | NOT_PRIVATE else plate.frames[t]
        return Composed(image, shown, source, plate.region[t], people, bodies)
