"""Actions: simple movements as seeded, parametric functions of time.

Every action is a function of phase (in cycles) and a person's manner; `perform` draws the manner from a seed, so that
two clips of one class differ in tempo, phase, amplitude, side and carriage.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from m2m.errors import InputError
from m2m.studio.motion import LEFT, RIGHT, Motion, blend, ray

DEGREE = np.pi / 180


@dataclass(frozen=True)
class Manner:
    """How one person does an action.

    Attributes:
        tempo: Factor on the action's cycles per second, 0.8 to 1.25.
        phase: Where in the cycle the clip starts, 0 to 1.
        amplitude: Factor on the size of the movement, 0.85 to 1.1.
        side: LEFT or RIGHT: the arm or leg that leads.
        stance: Degrees by which each leg stands outwards, 2 to 7.
        carriage: Degrees by which resting arms stand off the body, 8 to 18.
        stoop: Degrees of forward bend at rest, -2 to 6.
        sway: Degrees of slow sway, 0.5 to 2.
    """

    tempo: float
    phase: float
    amplitude: float
    side: int
    stance: float
    carriage: float
    stoop: float
    sway: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Manner":
        """A manner by chance."""
        return cls(
            tempo=float(rng.uniform(0.8, 1.25)),
            phase=float(rng.uniform()),
            amplitude=float(rng.uniform(0.85, 1.1)),
            side=int(rng.integers(2)),
            stance=float(rng.uniform(2, 7)),
            carriage=float(rng.uniform(8, 18)),
            stoop=float(rng.uniform(-2, 6)),
            sway=float(rng.uniform(0.5, 2)),
        )


class _Draft:
    """A motion being written: starts as somebody who stands still, breathing and swaying a little."""

    def __init__(self, cycles: np.ndarray, seconds: np.ndarray, manner: Manner) -> None:
        frames = len(cycles)
        self.arms = np.empty((frames, 2, 2, 3))
        self.legs = np.empty((frames, 2, 2, 3))
        for side in (LEFT, RIGHT):
            self.arm(side, ray(manner.carriage, 20, side), ray(manner.carriage + 6, 70, side))
            self.leg(side, ray(manner.stance, 0, side), ray(manner.stance, 0, side))
        slow = 2 * np.pi * (0.3 * seconds + manner.phase)
        self.spine = np.stack([manner.stoop + np.sin(slow), manner.sway * np.sin(slow * 0.7), 0 * slow], 1) * DEGREE
        self.head = np.stack([0 * slow, 0 * slow, 2 * manner.sway * np.sin(slow * 0.5)], 1) * DEGREE
        self.hips = np.zeros((frames, 3))
        self.flat = np.ones((frames, 2))
        self.support = np.full((frames, 2), 0.5)
        self.travel = np.zeros(frames)
        self.hop = np.zeros(frames)
        self.curl = 0.25

    def arm(self, side: int, upper: np.ndarray, fore: np.ndarray) -> None:
        self.arms[:, side, 0], self.arms[:, side, 1] = upper, fore

    def leg(self, side: int, thigh: np.ndarray, shin: np.ndarray) -> None:
        self.legs[:, side, 0], self.legs[:, side, 1] = thigh, shin

    def stand_on(self, side: int, weight: np.ndarray) -> None:
        """Shifts the weight to one foot as far as `weight` (T,) in [0, 1] says."""
        self.support[:, side], self.support[:, 1 - side] = 0.5 + weight / 2, 0.5 - weight / 2

    def motion(self) -> Motion:
        return Motion(**vars(self))


def _wave(cycles: np.ndarray) -> np.ndarray:
    """0 at whole cycles, 1 between them."""
    return (1 - np.cos(2 * np.pi * cycles)) / 2


def _bump(cycles: np.ndarray, start: float, end: float) -> np.ndarray:
    """0, but a smooth bump up to 1 between two points of the cycle."""
    return np.sin(np.pi * np.clip((cycles % 1 - start) / (end - start), 0, 1)) ** 2


def _hold(cycles: np.ndarray, sharpness: float = 2.0) -> np.ndarray:
    """Like `_wave`, but resting longer at both ends."""
    return (1 + np.tanh(-sharpness * np.cos(2 * np.pi * cycles)) / np.tanh(sharpness)) / 2


def wave(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """One arm up, the forearm swinging from side to side."""
    d.arm(m.side, ray(105, 25, m.side), ray(165 + 35 * m.amplitude * np.sin(2 * np.pi * c), 0, m.side))
    d.spine[:, 1] += (1 if m.side == RIGHT else -1) * 3 * DEGREE


def jumping_jack(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """Legs and arms spread and close in hops."""
    w = _wave(c)
    for side in (LEFT, RIGHT):
        d.arm(side, ray(12 + 143 * m.amplitude * w, 8, side), ray(14 + 150 * m.amplitude * w, 10, side))
        d.leg(side, ray(3 + 22 * m.amplitude * w, 5, side), ray(3 + 20 * m.amplitude * w, 0, side))
    d.hop[:] = 0.10 * m.amplitude * np.sin(2 * np.pi * c) ** 2


def squat(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """Down on bent knees with the arms to the front, and up."""
    w = _hold(c) * min(m.amplitude, 1.05)
    for side in (LEFT, RIGHT):
        # The chest leans forward by 38 degrees, the arms stay level.
        d.arm(side, ray(15 + 108 * w, 80, side), ray(20 + 106 * w, 90, side))
        d.leg(side, blend(ray(8, 0, side), ray(92, 68, side), w), blend(ray(8, 0, side), ray(-38, 95, side), w))
    d.hips[:, 0] += 28 * DEGREE * w
    d.spine[:, 0] += 10 * DEGREE * w
    d.head[:, 0] -= 22 * DEGREE * w


def walk(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """Walks to the front, the arms swinging against the legs."""
    stride = 27 * m.amplitude
    for side in (LEFT, RIGHT):
        p = 2 * np.pi * (c + side / 2)
        thigh = 3 + stride * np.sin(p)
        lift = np.clip(np.cos(p), 0, 1) ** 1.5  # the leg swings to the front with a bent knee
        shin = thigh - 6 - 48 * m.amplitude * lift
        d.leg(side, ray(thigh, 88, side), ray(shin, 90, side))
        d.flat[:, side] = 1 - 0.6 * lift
        swing = -stride * np.sin(p)
        d.arm(side, ray(4 + swing, 84, side), ray(18 + swing * 1.1 + 8 * (swing > 0) * swing / stride, 88, side))
    d.spine[:, 2] += 5 * DEGREE * np.sin(2 * np.pi * c)
    d.support[:] = 0
    # Two steps a cycle, each as long as the spread of legs of 0.85 m.
    d.travel[:] = c * 4 * 0.85 * np.sin(stride * DEGREE)


def punch(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """Boxing: a guard, straight punches with alternating fists."""
    for side in (LEFT, RIGHT):
        out = _bump(c + side / 2, 0.0, 0.42) ** 0.8
        guard, fist = ray(38, 50, side), ray(150, 115, side)
        d.arm(side, blend(guard, ray(88, 95, side), out), blend(fist, ray(90, 98, side), out))
        d.spine[:, 2] += (-1 if side == LEFT else 1) * 22 * DEGREE * m.amplitude * out
    front, back = m.side, 1 - m.side
    d.leg(front, ray(22, 75, front), ray(-4, 90, front))
    d.leg(back, ray(-16, 70, back), ray(-26, 80, back))
    d.flat[:, back] = 0.8
    d.spine[:, 0] += 8 * DEGREE
    d.curl = 1.3


def kick(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """A front kick, the same leg every time: knee up, shin out, back."""
    up, out = _bump(c, 0.05, 0.75), _bump(c, 0.22, 0.62)
    side, other = m.side, 1 - m.side
    d.leg(
        side,
        ray(m.stance + (88 * m.amplitude - m.stance) * up, 88, side),
        ray(-75 * up * (1 - out) + 88 * m.amplitude * out, 90, side),
    )
    d.leg(other, ray(5, 40, other), ray(-4, 90, other))
    d.flat[:, side] = 1 - up
    d.stand_on(other, np.minimum(1, 3 * up))
    for arm in (LEFT, RIGHT):
        d.arm(arm, ray(35, 45, arm), ray(120, 95, arm))
    d.hips[:, 0] -= 12 * DEGREE * up
    d.spine[:, 0] += 4 * DEGREE * up
    d.curl = 1.2


def bow(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """Bends forward from the hips with the arms at the sides, and up."""
    w = _hold(c, 2.5) * m.amplitude
    for side in (LEFT, RIGHT):
        d.arm(side, ray(8, 20, side), ray(10, 60, side))
    d.hips[:, 0] += 58 * DEGREE * w
    d.spine[:, 0] += 26 * DEGREE * w
    d.head[:, 0] += 12 * DEGREE * w


def arm_circles(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """Both straight arms go round in big circles at the sides."""
    way = 1 if m.side == LEFT else -1
    turn = 2 * np.pi * c * way
    for side in (LEFT, RIGHT):
        out = (1 if side == LEFT else -1) * np.full_like(turn, 0.55)
        circle = np.stack([out, -np.cos(turn), np.sin(turn)], axis=1)
        circle /= np.linalg.norm(circle, axis=1, keepdims=True)
        d.arm(side, circle, circle)


def clap(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """The arms open wide and the hands meet in front of the chest."""
    w = _wave(c) ** 0.8
    for side in (LEFT, RIGHT):
        wide = 20 - 15 * m.amplitude
        d.arm(side, blend(ray(68, wide, side), ray(60, 80, side), w), blend(ray(95, wide, side), ray(98, 130, side), w))


def march(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """Marches on the spot with high knees and bent arms."""
    for side in (LEFT, RIGHT):
        up = np.clip(np.sin(2 * np.pi * (c + side / 2)), 0, None) ** 0.9 * m.amplitude
        d.leg(side, ray(3 + 80 * up, 86, side), ray(-8 * up, 90, side))
        d.flat[:, side] = 1 - 0.5 * np.minimum(up, 1)
        swing = 38 * m.amplitude * np.sin(2 * np.pi * (c + side / 2))
        d.arm(side, ray(-swing, 82, side), ray(85 - swing, 95, side))
    d.stand_on(RIGHT, np.sin(2 * np.pi * c))
    d.curl = 1.0


def throw(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """An overhand throw: the arm back behind the head, a whip to the front, a step."""
    back, over = _bump(c, 0.0, 0.55), _bump(c, 0.38, 0.85)
    side, other = m.side, 1 - m.side
    twist = 1 if side == LEFT else -1
    rest_upper, rest_fore = ray(m.carriage, 20, side), ray(40, 85, side)
    upper = blend(blend(rest_upper, ray(100, -25, side), back), ray(95, 100, side), over)
    fore = blend(blend(rest_fore, ray(165, -60, side), back), ray(75, 110, side), over)
    d.arm(side, upper, fore)
    d.arm(other, blend(ray(m.carriage, 20, other), ray(80, 75, other), back), ray(30 + 55 * back, 80, other))
    d.leg(other, ray(4 + 22 * np.maximum(back, over), 80, other), ray(-3, 90, other))
    d.leg(side, ray(-4 - 14 * np.maximum(back, over), 75, side), ray(-8 - 14 * over, 85, side))
    d.flat[:, side] = 0.8
    d.spine[:, 2] += twist * 30 * DEGREE * m.amplitude * (back - over)
    d.spine[:, 0] += (-8 * back + 24 * over) * DEGREE


def side_bend(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """Bends to either side, the outer arm over the head, the other hand on the hip."""
    s = np.sin(2 * np.pi * c)
    for side in (LEFT, RIGHT):
        away = np.clip(s if side == RIGHT else -s, 0, None) ** 0.7
        hip_upper, hip_fore = ray(42, -20, side), ray(-38, 10, side)
        d.arm(side, blend(hip_upper, ray(170, 5, side), away), blend(hip_fore, ray(200, 5, side), away))
        d.leg(side, ray(12, 0, side), ray(12, 0, side))
    d.spine[:, 1] += 42 * DEGREE * m.amplitude * s
    d.hips[:, 1] += 8 * DEGREE * s
    d.head[:, 1] += 10 * DEGREE * s


def lift(d: _Draft, c: np.ndarray, m: Manner) -> None:
    """Bends the knees to take something from the floor and raises it over the head."""
    down, up = _bump(c, 0.0, 0.5), _bump(c, 0.4, 1.0)
    for side in (LEFT, RIGHT):
        rest_u, rest_f = ray(m.carriage, 40, side), ray(30, 85, side)
        d.arm(
            side,
            blend(blend(rest_u, ray(62, 88, side), down), ray(160, 85, side), up),
            blend(blend(rest_f, ray(45, 98, side), down), ray(170, 95, side), up),
        )
        d.leg(side, blend(ray(9, 0, side), ray(85, 70, side), down), blend(ray(9, 0, side), ray(-36, 92, side), down))
    d.hips[:, 0] += 50 * DEGREE * down
    d.spine[:, 0] += 32 * DEGREE * down * m.amplitude - 6 * DEGREE * up
    d.curl = 0.7


@dataclass(frozen=True)
class Action:
    """A class of the studio.

    Attributes:
        rate: Cycles a second at tempo 1.
        write: Writes the action into a draft: (draft, cycles (T,), manner).
        turned: Smallest and largest degrees by which people are turned from facing the camera, to either side, so that
            the movement is not hidden along the line of sight.
    """

    rate: float
    write: Callable[[_Draft, np.ndarray, Manner], None]
    turned: tuple[float, float] = (0, 45)


ACTIONS: dict[str, Action] = {
    "wave": Action(1.3, wave),
    "jumping_jack": Action(0.9, jumping_jack),
    "squat": Action(0.5, squat, (10, 80)),
    "walk": Action(0.85, walk, (50, 90)),
    "punch": Action(0.9, punch, (15, 75)),
    "kick": Action(0.6, kick, (30, 85)),
    "bow": Action(0.45, bow, (25, 85)),
    "arm_circles": Action(0.65, arm_circles),
    "clap": Action(1.1, clap),
    "march": Action(0.85, march, (10, 75)),
    "throw": Action(0.6, throw, (10, 70)),
    "side_bend": Action(0.45, side_bend),
    "lift": Action(0.45, lift, (10, 80)),
}
"""The classes, in the order in which `draw_dataset` takes them."""


def perform(label: str, manner: Manner, seconds: np.ndarray) -> Motion:
    """A person's movement.

    Args:
        label: A key of ACTIONS.
        manner: How the person does it.
        seconds: (T,) times of the frames.

    Raises:
        InputError: There is no such action.
    """
    if label not in ACTIONS:
        raise InputError(f"the studio has no action {label!r}", f"known: {', '.join(ACTIONS)}")
    action = ACTIONS[label]
    cycles = action.rate * manner.tempo * seconds + manner.phase
    draft = _Draft(cycles, seconds, manner)
    action.write(draft, cycles, manner)
    return draft.motion()
