"""The steps of the paper's figure 2 for one window: `chain` takes them in memory, `stages` with files between them."""

from collections import Counter
from dataclasses import asdict, dataclass, replace

import numpy as np

from m2m.augment.bodies import BodyModel, Camera, FrameBodies, Recoverer, Renderer
from m2m.augment.compose import MESHED, NOT_PRIVATE, PAINTED, ComposeParams, behind, obscure, over
from m2m.augment.contract import check_bodies, check_people, check_picture, check_plate
from m2m.augment.detect.link import link
from m2m.augment.inpaint.objects import put_back
from m2m.augment.inpaint.occluders import find_occluders
from m2m.augment.inpaint.region import RegionParams, paint_region
from m2m.augment.missed import bridged, followed
from m2m.augment.people import Detector, FramePeople
from m2m.augment.plate import Inpainter, Plate
from m2m.augment.tally import Tally
from m2m.augment.verify import Doubt, Hits, Verifier, VerifyParams, add_doubts, look_times
from m2m.augment.window import Window, WindowParams
from m2m.errors import InputError, QuarantineError


@dataclass(frozen=True)
class ChainParams:
    """The parameters the steps themselves read."""

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


class Finder:
    """Finds the people of one clip, window by window; a person keeps the id across the windows of a shot.

    Args:
        detector: Finds the people of a window.
        params: How long windows are.
        stretch: How much wider the frames show things than they are.
    """

    def __init__(self, detector: Detector, params: WindowParams, stretch: float = 1.0) -> None:
        self._detector = detector
        self._stretch = stretch
        self._shared = 2 * params.context
        self._last: list[FramePeople] = []
        self._next_id = 0

    def find(self, window: Window, tally: Tally) -> list[FramePeople]:
        """The people of every frame of a window, its context too."""
        with tally.timed("detect"):
            found = self._detector.detect(window.frames, self._stretch)
        check_people(found, window.frames)
        people, self._next_id = link(self._last, found, window.overlap, self._next_id)
        self._last = people[-self._shared :]  # all that the next window can share
        tally.shots = window.shot + 1
        for t in range(window.start, window.stop):
            tally.found(people[t])
        return people


class Painter:
    """Paints people out and refuses what the verifier doubts.

    Args:
        inpainter: Fills a region.
        verifier: Looks at originals and plates.
        params: What is painted out, and when to refuse.
    """

    def __init__(self, inpainter: Inpainter, verifier: Verifier, params: ChainParams) -> None:
        self._inpainter = inpainter
        self._verifier = verifier
        self._params = params

    def look(self, window: Window, tally: Tally) -> list[Hits]:
        """The verifier's look at the originals; it needs no masks, so it can run beside their making."""
        if self._params.compose.variant in NOT_PRIVATE:
            return []
        with tally.timed("look"):
            return self._verifier.look(window.frames, self._times(window))

    def paint(
        self, window: Window, people: list[FramePeople], seen: list[Hits], tally: Tally
    ) -> tuple[Plate, np.ndarray]:
        """The plate of a window. Doubts are masked once more; what is still in doubt then is refused or blacked out.

        Args:
            window: The originals.
            people: Everybody in them.
            seen: What `look` saw on them.
            tally: Figures are added here.

        Returns:
            The plate, the originals where the variant shows or obscures them; and (T,) bool, frames filled with black.

        Raises:
            QuarantineError: `verifier`.
        """
        plate, black = self._plate(window, people, seen, tally)
        if black.any():
            plate = replace(plate, frames=np.where(black[:, None, None, None], np.uint8(0), plate.frames))
        borrowed = plate.borrowed
        for t in range(window.start, window.stop):
            tally.filled(plate.region[t], float(borrowed[t]), bool(black[t]))
        return plate, black

    def judge(self, tally: Tally) -> None:
        """What only the whole clip tells.

        Raises:
            QuarantineError: `nobody` or `no_background`.
        """
        share = tally.masked_share
        if not tally.with_people and not self._params.allow_empty:
            raise QuarantineError("nobody", "no person was found on whom two models agree", {"masked_share": share})
        most = self._params.verify.max_region
        if share > most:
            text = f"{share:.0%} of the picture is painted out, more than {most:.0%}"
            raise QuarantineError("no_background", text, {"masked_share": share})

    def _plate(
        self, window: Window, people: list[FramePeople], seen: list[Hits], tally: Tally
    ) -> tuple[Plate, np.ndarray]:
        frames, verify, variant = window.frames, self._params.verify, self._params.compose.variant
        cover = np.stack([p.cover for p in people])
        black = np.zeros(len(frames), bool)
        if variant in NOT_PRIVATE:
            return Plate(frames, cover & False, cover & False), black
        with tally.timed("verify"):  # nobody is gone because the masks have lost him
            lost = followed(frames, people)
        if followed_in := int(lost.any((1, 2)).sum()):
            cover |= lost
            tally.doubts["original/person/followed"] += followed_in
        # Where nobody is confirmed there is no pose to hide, and a hull would only cost background.
        somebody = any(p.confirmed for p in people)
        region = self._region(frames, cover, somebody, tally)
        with tally.timed("verify"):
            doubts = self._verifier.originals(frames, seen, region, cover)
        whole = self._mended(cover, doubts)
        if not np.array_equal(whole, cover):
            cover = whole
            # What was looked at and found to be painted out stays painted out, however large the hulls become.
            region = region | self._region(frames, cover, somebody, tally)
        # Between two looks at frames that are painted out lies none that is not.
        region = bridged(region, verify.stride - 1)
        if variant not in PAINTED:
            _count(doubts, tally)
            return Plate(frames, region, region & False), black
        # Whom the masks have missed would be a thing that is put back: nothing is where anybody was missed.
        plate, left = self._fill(window, region, cover, people, tally, objects=not doubts and not followed_in)
        _count(doubts + left, tally)
        if left:
            cover = add_doubts(cover, left, verify.spread)
            # Whatever was put back may be what is in doubt.
            region = region | self._region(frames, cover, somebody, tally)
            plate, left = self._fill(window, region, cover, people, tally, objects=False)
        near = range(window.start - verify.stride, window.stop + verify.stride)
        if any(d.frame in near for d in left) and verify.on_doubt == "quarantine":
            counts = Counter(f"{d.kind} by {d.source}" for d in left)
            text = "still on the plate after masking once more: " + ", ".join(f"{n} x {k}" for k, n in counts.items())
            raise QuarantineError("verifier", text, {"doubts": _evidence(left, window.first, window.start)})
        for d in left:
            black[max(0, d.frame - verify.spread) : d.frame + verify.spread + 1] = True
        return plate, black

    def _mended(self, cover: np.ndarray, doubts: list[Doubt]) -> np.ndarray:
        """The cover without gaps in time, and with what is in doubt."""
        verify = self._params.verify
        whole = bridged(cover, verify.stride - 1)
        if not doubts:
            return whole
        # Where the masks failed once they may have for longer.
        there = add_doubts(np.zeros_like(cover), doubts, verify.spread)
        return bridged(whole, verify.spread, there) | there

    def _times(self, window: Window) -> list[int]:
        n, stride = len(window.frames), self._params.verify.stride
        return look_times(n, window.first, window.start, window.stop, stride)

    def _region(self, frames: np.ndarray, cover: np.ndarray, somebody: bool, tally: Tally) -> np.ndarray:
        """What is painted out: the plate's region, or the cover itself for the classical variants."""
        if self._params.compose.variant not in PAINTED:
            return cover
        with tally.timed("inpaint"):
            params = self._params.region if somebody else replace(self._params.region, outline="dilate")
            return paint_region(frames, cover, params)

    def _fill(
        self,
        window: Window,
        region: np.ndarray,
        cover: np.ndarray,
        people: list[FramePeople],
        tally: Tally,
        objects: bool = True,
    ) -> tuple[Plate, list[Doubt]]:
        """A plate and who is still on it; things that are put back count as painted for whoever looks."""
        with tally.timed("inpaint"):
            plate = self._inpainter.fill(window.frames, region, cover)
            check_plate(plate, window.frames, region)
        with tally.timed("verify"):
            same = self._verifier.untouched(plate, window.frames, people)
        with tally.timed("inpaint"):
            front = find_occluders(plate, window.frames, people)
            if objects and self._params.region.objects != "none":
                beside = self._params.region.objects == "beside"
                forbidden = cover if beside else cover & ~np.stack([p.cover for p in people])
                plate = put_back(plate, window.frames, people, forbidden)
            plate = replace(plate, front=front if plate.front is None else front | plate.front)
        with tally.timed("verify"):
            return plate, same + self._verifier.plates(plate.frames, region, self._times(window))


def _count(doubts: list[Doubt], tally: Tally) -> None:
    tally.doubts.update(f"{d.where}/{d.kind}/{d.source}" for d in doubts)
    tally.remasked += bool(doubts)


def _evidence(doubts: list[Doubt], first: int, start: int) -> list[dict]:
    """The strongest doubts, with frames counted in the clip."""
    strongest = sorted(doubts, key=lambda d: (-d.score, d.frame, d.source))[:10]
    return [
        {**asdict(d), "frame": first + d.frame - start, "box": [round(v, 1) for v in d.box], "score": round(d.score, 3)}
        for d in strongest
    ]


def embody(
    people: list[FramePeople],
    core: range,
    camera: Camera,
    recoverer: Recoverer,
    tally: Tally,
    frames: np.ndarray | None = None,
) -> list[FrameBodies]:
    """The bodies of every frame of a window; those of its core are counted. Some recoverers need the originals."""
    with tally.timed("recover"):
        bodies = recoverer.recover(people, camera, frames)
    check_bodies(bodies, people)
    for t in core:
        tally.embodied(people[t], bodies[t])
    return bodies


class Drawer:
    """Makes the frames that are released.

    Args:
        body: Poses to vertices.
        renderer: Vertices to pictures.
        params: What a frame shows.
    """

    def __init__(self, body: BodyModel, renderer: Renderer, params: ComposeParams) -> None:
        self._body = body
        self._renderer = renderer
        self._params = params

    def draw(
        self,
        base: np.ndarray,
        region: np.ndarray,
        bodies: FrameBodies,
        black: bool,
        camera: Camera,
        front: np.ndarray | None = None,
    ) -> np.ndarray:
        """One frame.

        Args:
            base: (H, W, 3) uint8 RGB, the plate, or the original where the variant is not painted.
            region: (H, W) bool, what a classical variant obscures.
            bodies: Who is drawn.
            black: The frame was filled with black: nobody is drawn on it.
            camera: The scene's camera.
            front: (H, W) bool, what no body is drawn over; None for nothing.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        variant = self._params.variant
        if variant in MESHED:
            meshes = [] if black else [self._body.vertices(b.pose, b.transl) for b in bodies.bodies]
            if not meshes:
                return base
            drawn = self._renderer.render(meshes, self._body.faces, camera)[0]
            check_picture(drawn, base)
            return over(base, drawn if front is None or not self._params.occlude else behind(drawn, front))
        return base if variant in PAINTED else obscure(base, region, self._params)
