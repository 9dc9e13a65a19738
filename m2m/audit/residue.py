"""Faces and people that are still to be seen: in outputs, but for the drawn bodies, and on plates.

A detector takes a drawn body for a person, and the body's head for a face: CenterFace sees one at .5 or more in half of
52 drawn clips. So faces and people on outputs count where the body's colour does not explain them; whoever stands
behind a body is looked for on the plate, where nobody is drawn.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from m2m.audit.params import AuditParams
from m2m.audit.rows import Check
from m2m.augment.verify import Doubt, VerifyParams, alarms, detail

HUE = 0.02
"""How far red, green and blue, in shares of their sum, may be from the drawn colour's; grey is .03 to .04 away from the
default blue grey, skin .1 and more."""
DARKEST = 60
"""Sum of red, green and blue below which a pixel has no hue."""


BODIED = 0.03
"""Share of the middle of a person's box that has the drawn body's hue from which a body explains the person. On 90
clips drawn bodies had .11 or more, but for one box as high as the frame (.05); somebody in the background had 0."""


def drawn_share(frame: np.ndarray, box: Iterable[float], colour: tuple[int, int, int]) -> float:
    """Share of the middle of a box that has the hue of the drawn body, in whatever light.

    Args:
        frame: (H, W, 3) uint8 RGB.
        box: x0, y0, x1, y1 in pixels.
        colour: The body's colour, RGB.
    """
    x0, y0, x1, y1 = box
    dx, dy = (x1 - x0) / 5, (y1 - y0) / 5
    rows = slice(max(0, int(y0 + dy)), max(0, int(np.ceil(y1 - dy))))
    columns = slice(max(0, int(x0 + dx)), max(0, int(np.ceil(x1 - dx))))
    pixels = frame[rows, columns].reshape(-1, 3).astype(np.float32)
    if not len(pixels):
        return 0.0
    total = pixels.sum(1, keepdims=True)
    wanted = np.asarray(colour, np.float32) / max(sum(colour), 1)
    close = np.abs(pixels / np.maximum(total, 1) - wanted).max(1) <= HUE
    return float((close & (total[:, 0] >= DARKEST)).mean())


class Residue:
    """Collects what a model sees in one clip and decides.

    Args:
        params: Scores and the rule.
    """

    def __init__(self, params: AuditParams) -> None:
        self._params = params
        self._looks: dict[tuple[str, str, str], list[list[Doubt]]] = {}
        self.explained = 0

    def outputs(self, t: int, frame: np.ndarray, faces: np.ndarray, colour: tuple[int, int, int] | None) -> None:
        """Adds a look at an output.

        Args:
            t: Its number in the clip.
            frame: (H, W, 3) uint8 RGB.
            faces: (N, 5) x0, y0, x1, y1, score.
            colour: The drawn body's colour; None where no body is drawn.
        """
        kept = []
        for hit in faces:
            if colour is not None and drawn_share(frame, hit[:4], colour) >= self._params.drawn:
                self.explained += 1
            else:
                kept.append(hit)
        self._add(t, kept, "face", "output", "centerface")

    def people(self, t: int, frame: np.ndarray, people: np.ndarray, colour: tuple[int, int, int] | None) -> None:
        """Adds a look at an output for people whom no drawn body explains; arguments as for `outputs`."""
        kept = []
        for hit in people:
            if colour is not None and drawn_share(frame, hit[:4], colour) >= BODIED:
                continue
            if detail(frame, hit[:4]) >= self._params.detail:
                kept.append(hit)
        self._add(t, kept, "person", "people", "ssdlite")

    def plates(self, t: int, plate: np.ndarray, hits: np.ndarray, kind: str, source: str) -> None:
        """Adds a look at a plate; what lies on a smooth fill does not count, as in the verifier.

        Args:
            t: Its number in the clip.
            plate: (H, W, 3) uint8 RGB.
            hits: (N, 5) x0, y0, x1, y1, score.
            kind: `face` or `person`.
            source: The model.
        """
        kept = [h for h in hits if detail(plate, h[:4]) >= self._params.detail]
        self._add(t, kept, kind, "plate", source)

    def check(self, where: str) -> Check:
        """The verdict about faces on the `output`, `people` on it, or the `plate`."""
        keys = [k for k in self._looks if k[1] == where]
        rule = VerifyParams(low=self._params.low, alarm=self._params.alarm)
        found = [d for k in keys for d in alarms(self._looks[k], rule)]
        seen = [d.score for k in keys for look in self._looks[k] for d in look]
        figures = {
            "looks": max((len(self._looks[k]) for k in keys), default=0),
            "highest": _round(max(seen, default=0)),
        }
        if where == "output":
            figures["explained"] = self.explained
        if not found:
            return Check(True, figures)
        best = sorted(found, key=lambda d: (-d.score, d.frame))[:5]
        top = best[0]
        why = f"{len(found)} sighting(s), highest a {top.kind} at frame {top.frame} by {top.source}, {top.score:.2f}"
        return Check(False, {**figures, "why": why, "sightings": [sighting(d) for d in best]})

    def _add(self, t: int, hits: Sequence[np.ndarray], kind: str, where: str, source: str) -> None:
        look = [doubt_of(t, h, kind, where, source) for h in hits if h[4] >= self._params.low]
        self._looks.setdefault((kind, where, source), []).append(look)


def sighting(doubt: Doubt) -> dict:
    """A sighting as JSON: frame, what, box in pixels, score."""
    box = [round(v, 1) for v in doubt.box]
    return {"frame": doubt.frame, "kind": doubt.kind, "source": doubt.source, "box": box, "score": _round(doubt.score)}


def doubt_of(t: int, hit: np.ndarray, kind: str, where: str, source: str, covered: float = 0.0) -> Doubt:
    """A doubt about a detector's hit (5,): x0, y0, x1, y1, score; the rest as in `Doubt`."""
    box = (float(hit[0]), float(hit[1]), float(hit[2]), float(hit[3]))
    return Doubt(t, box, kind, where, source, float(hit[4]), covered)


def _round(value: float) -> float:
    return round(float(value), 3)
