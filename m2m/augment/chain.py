"""The chain of the paper's figure 2 for one clip, in memory, window by window."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from m2m.augment.bodies import BodyModel, Camera, FrameBodies, Recoverer, Renderer
from m2m.augment.compose import MESHED, NOT_PRIVATE, PAINTED
from m2m.augment.detect.shots import ShotDetector
from m2m.augment.people import Detector, FramePeople
from m2m.augment.plate import Inpainter
from m2m.augment.steps import ChainParams, Drawer, Finder, Painter, embody
from m2m.augment.tally import Tally
from m2m.augment.threads import ahead, each, side_thread
from m2m.augment.verify import Hits, Verifier
from m2m.augment.window import Window, windows


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
class Composed:
    """One finished frame.

    Attributes:
        image: (H, W, 3) uint8 RGB, what is released.
        plate: (H, W, 3) uint8 RGB, the frame without people.
        source: (H, W, 3) uint8 RGB, the original.
        region: (H, W) bool, what was painted out.
        people: Who was found.
        bodies: What was drawn.
        front: (H, W) bool, what stands before the bodies; None for nothing.
    """

    image: np.ndarray
    plate: np.ndarray
    source: np.ndarray
    region: np.ndarray
    people: FramePeople
    bodies: FrameBodies
    front: np.ndarray | None = None


class Chain:
    """Detect, inpaint, recover, compose and verify one clip.

    Args:
        models: Backends.
        params: What to compose and when to refuse.
    """

    def __init__(self, models: Models, params: ChainParams) -> None:
        self.models = models
        self.params = params
        self._painter = Painter(models.inpainter, models.verifier, params)
        self._drawer = Drawer(models.body, models.renderer, params.compose)

    def run(self, frames: Iterable[np.ndarray], tally: Tally, stretch: float = 1.0) -> Iterator[Composed]:
        """Composes a clip.

        Frames come out while the clip is read, so a caller must drop what it has written when this raises.

        Args:
            frames: (H, W, 3) uint8 RGB, in order.
            tally: Figures are added here.
            stretch: How much wider the frames show things than they are.

        Yields:
            A composed frame for every frame read, in order.

        Raises:
            QuarantineError: `verifier`, `nobody` or `no_background`.
        """
        camera: Camera | None = None
        finder = Finder(self.models.detector, self.params.window, stretch)
        variant = self.params.compose.variant
        with side_thread() as beside:

            def find(window: Window) -> tuple[Window, list[FramePeople], list[Hits]]:
                # The verifier's look at the originals needs no masks: it runs beside their making.
                seen = beside.submit(self._painter.look, window, tally)
                people = finder.find(window, tally)
                with tally.timed("wait"):
                    return window, people, seen.result()

            read = ahead(windows(frames, ShotDetector(), self.params.window), self.params.window.ahead)
            for window, people, hits in ahead(each(find, read), self.params.window.ahead):
                height, width = window.frames.shape[1:3]
                camera = camera or Camera.default(width, height, stretch)
                plate, black = self._painter.paint(window, people, hits, tally)
                core = range(window.start, window.stop)
                bodies = [FrameBodies(())] * len(people)
                if variant in MESHED:
                    bodies = embody(people, core, camera, self.models.recoverer, tally, window.frames)
                for t in core:
                    # Copies, or whoever holds the last frame would hold the whole window while the next one is made.
                    source, base, region = (a[t].copy() for a in (window.frames, plate.frames, plate.region))
                    front = None if plate.front is None else plate.front[t].copy()
                    with tally.timed("compose"):
                        image = self._drawer.draw(base, region, bodies[t], bool(black[t]), camera, front)
                    # Without a plate of its own a classical variant shows its result: it was made from the original.
                    shown = base if variant in PAINTED | NOT_PRIVATE else image
                    yield Composed(image, shown, source, region, people[t], bodies[t], front)
                del window, people, plate, bodies, hits  # or two windows would be in memory at once
        self._painter.judge(tally)
