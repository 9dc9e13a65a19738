"""Backgrounds: procedural scenes with texture and features, several kinds, seen by a still or moving camera.

A scene is painted once on a canvas larger than the frame; the camera looks at a part of it. Things that move by
themselves (`Mover`) are drawn on every frame and belong to the plate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from m2m.errors import InputError
from m2m.studio.texture import box, bricks, fill, grain, ground, noise, paint, polygon, ramp

MARGIN = 0.2
"""Share of the frame by which the canvas is larger on each side."""


def _color(rng: np.random.Generator, low: float, high: float, saturation: float) -> np.ndarray:
    """A colour by chance with brightness between low and high and at most the saturation."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(0, saturation), rng.uniform(low, high)]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]


def _floor(rng: np.random.Generator, image: np.ndarray, base: int) -> None:
    """Planks, tiles or carpet from row `base` down."""
    height, width = image.shape[:2]
    kind = rng.integers(3)
    if kind == 0:
        flat = bricks(
            rng, 512, 512, (90, 14), _color(rng, 0.35, 0.7, 0.2) * [1.0, 0.8, 0.6], np.array([0.15, 0.1, 0.08])
        )
        flat = flat.transpose(1, 0, 2).copy() if rng.uniform() < 0.5 else flat
    elif kind == 1:
        flat = bricks(rng, 512, 512, (34, 34), _color(rng, 0.5, 0.85, 0.15), np.array([0.3, 0.3, 0.3]))
    else:
        flat = fill(_color(rng, 0.3, 0.6, 0.4), 512, 512)
        flat += 0.12 * noise(rng, 512, 512, 40, 3)[..., None]
    grain(rng, flat, 0.04)
    image[base:] = ground(flat.astype(np.float32), height - base, width, max(base - height * 0.5, 8))


def _picture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """An abstract poster."""
    out = ramp(_color(rng, 0.3, 1, 0.8), _color(rng, 0.3, 1, 0.8), height, width)
    for _ in range(rng.integers(2, 6)):
        points = rng.uniform(0, 1, (rng.integers(3, 5), 2)) * [width, height]
        paint(out, polygon(height, width, points), _color(rng, 0.1, 1, 0.9))
    return out


def _hang(rng: np.random.Generator, image: np.ndarray, base: int, count: int) -> None:
    """Framed posters on the wall above `base`."""
    height, width = image.shape[:2]
    for _ in range(count):
        w, h = rng.integers(width // 14, width // 6), rng.integers(height // 8, height // 3)
        x, y = rng.integers(0, width - w), rng.integers(0, max(base - h, 1))
        paint(image, box(height, width, x - 2, y - 2, x + w + 2, y + h + 2), _color(rng, 0.05, 0.9, 0.2))
        image[y : y + h, x : x + w] = _picture(rng, h, w)


def _window(rng: np.random.Generator, image: np.ndarray, base: int) -> None:
    """A window with a view of sky and trees."""
    height, width = image.shape[:2]
    w, h = int(rng.integers(width // 6, width // 3)), int(base * rng.uniform(0.4, 0.65))
    x, y = int(rng.integers(0, width - w)), int(rng.integers(4, base - h))
    view = ramp(np.array([0.6, 0.75, 0.95]), np.array([0.9, 0.92, 0.95]), h, w)
    leaves = noise(rng, h, w, 6, 4)
    edge = np.linspace(-1.6, 1.4, h, dtype=np.float32)[:, None]
    paint(view, np.clip((leaves + edge) * 3, 0, 1), np.array([0.25, 0.4, 0.2]), 0.12 * leaves)
    frame = _color(rng, 0.5, 1, 0.15)
    paint(image, box(height, width, x - 4, y - 4, x + w + 4, y + h + 4), frame)
    image[y : y + h, x : x + w] = view
    paint(image, box(height, width, x + w / 2 - 1.5, y, x + w / 2 + 1.5, y + h), frame)
    paint(image, box(height, width, x, y + h * 0.4 - 1, x + w, y + h * 0.4 + 1), frame)


def _boxes(rng: np.random.Generator, image: np.ndarray, base: int, count: int) -> None:
    """Furniture-like boxes that stand at the wall."""
    height, width = image.shape[:2]
    for _ in range(count):
        w, h = rng.uniform(width / 18, width / 6), rng.uniform(height / 14, height / 4)
        x, foot = rng.uniform(0, width - w), base + rng.uniform(2, 12)
        color, depth = _color(rng, 0.2, 0.8, 0.6), rng.uniform(4, 12)
        side = 1 if x + w / 2 < width / 2 else -1
        edge = x + w if side > 0 else x
        paint(image, box(height, width, x, foot - h, x + w, foot), color, 0.06 * noise(rng, height, width, 30, 3))
        flank = [
            [edge, foot],
            [edge, foot - h],
            [edge + side * depth, foot - h - depth / 2],
            [edge + side * depth, foot - depth / 2],
        ]
        paint(image, polygon(height, width, np.array(flank)), color * 0.6)
        for line in range(1, int(rng.integers(1, 4))):
            paint(
                image, box(height, width, x + 2, foot - h * line / 3 - 1, x + w - 2, foot - h * line / 3), color * 0.5
            )


def _room(rng: np.random.Generator, image: np.ndarray, base: int) -> None:
    height, width = image.shape[:2]
    wall = _color(rng, 0.55, 0.95, 0.35)
    image[:base] = ramp(wall, wall * 0.85, base, width)
    if rng.uniform() < 0.5:
        stripes = (np.arange(width) // int(rng.integers(6, 22))) % 2
        image[:base] += (rng.uniform(-0.1, 0.1) * stripes)[None, :, None]
    grain(rng, image[:base], 0.035)
    _floor(rng, image, base)
    if rng.uniform() < 0.6:
        _window(rng, image, base)
    _hang(rng, image, base - 8, int(rng.integers(2, 5)))
    paint(image, box(height, width, 0, base - 6, width, base), _color(rng, 0.2, 0.95, 0.2))
    _boxes(rng, image, base, int(rng.integers(1, 4)))


def _street(rng: np.random.Generator, image: np.ndarray, base: int) -> None:
    height, width = image.shape[:2]
    size = (int(rng.integers(16, 30)), int(rng.integers(7, 12)))
    color = np.array([0.55, 0.33, 0.26]) if rng.uniform() < 0.5 else _color(rng, 0.4, 0.75, 0.2)
    image[:base] = bricks(rng, base, width, size, color, color * 0.5 + 0.25)
    grain(rng, image[:base], 0.05)
    flat = bricks(rng, 512, 512, (56, 40), _color(rng, 0.4, 0.65, 0.08), np.array([0.25, 0.25, 0.25]))
    grain(rng, flat, 0.05)
    image[base:] = ground(flat, height - base, width, max(base - height * 0.5, 8))
    door = rng.uniform(0, width * 0.85)
    wide, high = width * rng.uniform(0.09, 0.13), base * rng.uniform(0.55, 0.75)
    paint(image, box(height, width, door - 4, base - high - 4, door + wide + 4, base), np.array([0.75, 0.73, 0.7]))
    paint(image, box(height, width, door, base - high, door + wide, base), _color(rng, 0.15, 0.6, 0.8))
    for _ in range(int(rng.integers(1, 3))):
        _window(rng, image, int(base * 0.85))
    _hang(rng, image, int(base * 0.9), int(rng.integers(1, 4)))


def _sky(rng: np.random.Generator, image: np.ndarray, base: int) -> None:
    width = image.shape[1]
    image[:base] = ramp(np.array([0.38, 0.58, 0.88]) * rng.uniform(0.8, 1.1), np.array([0.85, 0.9, 0.96]), base, width)
    clouds = noise(rng, base, width, 4, 6)
    paint(
        image[:base], np.clip(clouds * 1.4 - 0.1, 0, 0.9), np.array([0.96, 0.96, 0.97]), -0.12 * np.clip(clouds, 0, 1)
    )


def _tree(rng: np.random.Generator, image: np.ndarray, foot: float, x: float, tall: float) -> None:
    height, width = image.shape[:2]
    trunk = tall * rng.uniform(0.035, 0.06)
    bark = 0.1 * noise(rng, height, width, 60, 2)
    paint(image, box(height, width, x - trunk, foot - tall * 0.6, x + trunk, foot), np.array([0.3, 0.22, 0.16]), bark)
    green = np.array([rng.uniform(0.15, 0.4), rng.uniform(0.35, 0.5), rng.uniform(0.1, 0.22)])
    y, xs = np.mgrid[:height, :width].astype(np.float32)
    crown = 1 - ((xs - x) / (tall * 0.34)) ** 2 - ((y - foot + tall * 0.68) / (tall * 0.36)) ** 2
    leaves = noise(rng, height, width, 40, 4)
    paint(
        image,
        np.clip((crown + 0.6 * leaves) * 4, 0, 1),
        green,
        0.16 * leaves + 0.12 * np.clip(-(y - foot + tall * 0.68) / tall, -1, 1),
    )


def _park(rng: np.random.Generator, image: np.ndarray, base: int) -> None:
    height, width = image.shape[:2]
    _sky(rng, image, base)
    hills = base - height * (0.1 + 0.07 * noise(rng, 1, width, 4, 4)[0])
    rows = np.arange(height, dtype=np.float32)[:, None]
    woods = noise(rng, height, width, 50, 3)
    paint(image, np.clip(rows - hills[None], 0, 1) * (rows < base), np.array([0.3, 0.42, 0.3]), 0.1 * woods)
    grass = fill(np.array([0.33, 0.46, 0.2]) * rng.uniform(0.8, 1.2), 512, 512)
    grass += 0.13 * noise(rng, 512, 512, 30, 5)[..., None]
    grain(rng, grass, 0.06)
    image[base:] = ground(grass, height - base, width, 10)
    for _ in range(int(rng.integers(3, 7))):
        _tree(rng, image, base + rng.uniform(0, 8), rng.uniform(0, width), height * rng.uniform(0.35, 0.7))


def _hall(rng: np.random.Generator, image: np.ndarray, base: int) -> None:
    height, width = image.shape[:2]
    image[:base] = bricks(
        rng,
        base,
        width,
        (int(rng.integers(40, 80)), int(rng.integers(30, 60))),
        _color(rng, 0.55, 0.85, 0.2),
        np.array([0.4, 0.4, 0.4]),
    )
    grain(rng, image[:base], 0.04)
    paint(
        image,
        box(height, width, 0, base * rng.uniform(0.5, 0.7), width, base * rng.uniform(0.72, 0.85)),
        _color(rng, 0.3, 0.8, 0.7),
        0.03,
    )
    flat = bricks(
        rng, 512, 512, (120, 10), np.array([0.72, 0.52, 0.32]) * rng.uniform(0.8, 1.1), np.array([0.4, 0.28, 0.16])
    )
    for _ in range(3):
        start = int(rng.integers(0, 480))
        flat[start : start + 8] = _color(rng, 0.6, 1, 0.8)
    grain(rng, flat, 0.03)
    image[base:] = ground(flat, height - base, width, max(base - height * 0.5, 8))
    _hang(rng, image, int(base * 0.5), int(rng.integers(3, 6)))
    _boxes(rng, image, base, int(rng.integers(2, 5)))


def _coast(rng: np.random.Generator, image: np.ndarray, base: int) -> None:
    height, width = image.shape[:2]
    _sky(rng, image, base)
    top = int(base - height * rng.uniform(0.12, 0.25))
    waves = cv2.resize(noise(rng, 4 * (base - top), width // 4, 30, 4), (width, base - top))
    image[top:base] = (
        ramp(np.array([0.2, 0.42, 0.58]), np.array([0.35, 0.58, 0.65]), base - top, width) + 0.12 * waves[..., None]
    )
    for _ in range(int(rng.integers(1, 4))):
        x, size = rng.uniform(0, width), rng.uniform(10, 28)
        hull = np.array(
            [[x - size, top], [x + size, top], [x + size * 0.7, top + size * 0.35], [x - size * 0.7, top + size * 0.35]]
        )
        paint(image, polygon(height, width, hull), _color(rng, 0.3, 0.9, 0.8))
        sail = np.array([[x, top], [x, top - size * 2], [x + size, top - 2]])
        paint(image, polygon(height, width, sail), _color(rng, 0.8, 1, 0.3))
    sand = fill(np.array([0.78, 0.68, 0.5]) * rng.uniform(0.85, 1.1), 512, 512)
    sand += 0.07 * noise(rng, 512, 512, 25, 5)[..., None]
    grain(rng, sand, 0.05)
    image[base:] = ground(sand, height - base, width, 10)
    for _ in range(int(rng.integers(2, 6))):
        x, y, r = rng.uniform(0, width), base + rng.uniform(2, 10), rng.uniform(5, 18)
        points = [
            [x + r * np.cos(a) * rng.uniform(0.8, 1.2), y - max(0, r * 0.7 * np.sin(a))]
            for a in np.linspace(0, np.pi, 9)
        ]
        paint(
            image,
            polygon(height, width, np.array(points)),
            _color(rng, 0.3, 0.5, 0.15),
            0.12 * noise(rng, height, width, 40, 3),
        )


def _shop(rng: np.random.Generator, image: np.ndarray, base: int) -> None:
    height, width = image.shape[:2]
    image[:base] = fill(_color(rng, 0.15, 0.45, 0.2), base, width)
    _floor(rng, image, base)
    shelves = int(rng.integers(3, 6))
    for level in range(shelves):
        foot = base - 4 - level * base / shelves
        x = 0.0
        while x < width:
            w, h = rng.uniform(8, 26), base / shelves * rng.uniform(0.4, 0.85)
            color = _color(rng, 0.25, 1, 0.85)
            paint(image, box(height, width, x, foot - h, x + w - 1.5, foot), color)
            paint(
                image, box(height, width, x + 2, foot - h * 0.7, x + w - 4, foot - h * 0.35), _color(rng, 0.5, 1, 0.5)
            )
            x += w
        paint(image, box(height, width, 0, foot, width, foot + 4), np.array([0.7, 0.7, 0.72]))
    grain(rng, image[:base], 0.03)


SCENES: dict[str, Callable[[np.random.Generator, np.ndarray, int], None]] = {
    "room": _room,
    "street": _street,
    "park": _park,
    "hall": _hall,
    "coast": _coast,
    "shop": _shop,
}
"""Painters by kind: (rng, canvas float32 to paint, row where wall or distance meets the floor)."""

CAMERAS = ("still", "pan", "zoom", "shake")


@dataclass(frozen=True)
class Mover:
    """A patch that moves over the canvas.

    Attributes:
        patch: (h, w, 4) uint8 RGBA, straight alpha.
        path: (T, 2) x, y of its top left corner on the canvas in pixels.
    """

    patch: np.ndarray
    path: np.ndarray


@dataclass(frozen=True)
class Background:
    """One scene and how the camera sees it.

    Attributes:
        canvas: (Hc, Wc, 3) uint8, the scene, larger than the frame.
        size: Width and height of the frame.
        floor: Row of the frame, at rest, from which on people may stand.
        view: (T, 3) per frame: shift x, shift y in pixels, zoom about the frame's centre; (0, 0, 1) at rest.
        movers: What moves by itself.
        kind: Of the scene, a key of SCENES.
        camera: How the camera moves, one of CAMERAS.
    """

    canvas: np.ndarray
    size: tuple[int, int]
    floor: float
    view: np.ndarray
    movers: tuple[Mover, ...]
    kind: str
    camera: str

    @property
    def static(self) -> bool:
        """All frames are the same."""
        return not self.movers and bool((self.view == self.view[0]).all())

    def frame(self, index: int) -> np.ndarray:
        """The plate of one frame, (H, W, 3) uint8 RGB."""
        scene = self.canvas
        for mover in self.movers:
            scene = _overlay(scene, mover.patch, mover.path[index])
        return self.seen(scene, index, cv2.INTER_CUBIC)

    def seen(self, scene: np.ndarray, index: int, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
        """What the camera sees of something painted on the canvas, (Hc, Wc, C) to (H, W, C) uint8."""
        width, height = self.size
        dx, dy, zoom = self.view[index]
        left, top = (self.canvas.shape[1] - width) / 2, (self.canvas.shape[0] - height) / 2
        # u = zoom * (x - left - w/2) + w/2 + dx in coordinates whose pixel centres are at .5; OpenCV's are at 0.
        shift_x = zoom * (0.5 - left - width / 2) + width / 2 + dx - 0.5
        shift_y = zoom * (0.5 - top - height / 2) + height / 2 + dy - 0.5
        matrix = np.array([[zoom, 0, shift_x], [0, zoom, shift_y]])
        return cv2.warpAffine(scene, matrix, (width, height), flags=interpolation, borderMode=cv2.BORDER_REPLICATE)


def _overlay(scene: np.ndarray, patch: np.ndarray, corner: np.ndarray) -> np.ndarray:
    height, width = patch.shape[:2]
    x, y = (int(v) for v in np.floor(corner))
    # Moved by the fraction of a pixel, so that slow things glide.
    shift = np.array([[1, 0, corner[0] - x], [0, 1, corner[1] - y]])
    moved = cv2.warpAffine(patch, shift, (width + 1, height + 1), flags=cv2.INTER_LINEAR)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width + 1, scene.shape[1]), min(y + height + 1, scene.shape[0])
    if x0 >= x1 or y0 >= y1:
        return scene
    out = scene.copy()
    part = moved[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.float32)
    under = out[y0:y1, x0:x1]
    out[y0:y1, x0:x1] = np.round(under + part[..., 3:] / 255 * (part[..., :3] - under)).astype(np.uint8)
    return out


def _ball(rng: np.random.Generator, size: int) -> np.ndarray:
    """A shaded ball or balloon with a coloured band, RGBA."""
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size * 2 - 1
    radius = np.hypot(x, y)
    color = np.where((np.abs(y + 0.5 * x) < 0.25)[..., None], _color(rng, 0.6, 1, 0.6), _color(rng, 0.4, 1, 0.9))
    shade = 0.55 + 0.45 * np.clip(1 - np.hypot(x + 0.4, y + 0.5) / 1.5, 0, 1)
    alpha = np.clip((0.94 - radius) * size / 2, 0, 1)
    return np.round(np.dstack([color * shade[..., None], alpha]).clip(0, 1) * 255).astype(np.uint8)


def _movers(rng: np.random.Generator, size: tuple[int, int], seconds: np.ndarray) -> tuple[Mover, ...]:
    """One to three balls that roll, bounce or float over the canvas."""
    width, height = size
    out = []
    for _ in range(int(rng.integers(1, 4))):
        patch = _ball(rng, int(rng.integers(height // 16, height // 8)))
        speed, start = rng.uniform(-0.3, 0.3) * width, rng.uniform(0.1, 0.9) * width
        rise = rng.uniform(0.05, 0.3) * height
        y = rng.uniform(0.2, 0.8) * height - rise * np.abs(
            np.sin(np.pi * rng.uniform(0.3, 1.2) * seconds + rng.uniform(0, 3))
        )
        out.append(Mover(patch, np.stack([start + speed * seconds, y], axis=1)))
    return tuple(out)


def _view(rng: np.random.Generator, camera: str, size: tuple[int, int], seconds: np.ndarray) -> np.ndarray:
    width, height = size
    view = np.tile([0.0, 0.0, 1.0], (len(seconds), 1))
    if len(seconds) < 2 or camera == "still":
        return view
    part = seconds / seconds[-1]
    if camera == "pan":
        reach = rng.choice([-1, 1]) * rng.uniform(0.06, 0.9 * MARGIN) * width
        view[:, 0] = reach * (part - 0.5) * 2 if rng.uniform() < 0.5 else reach * np.sin(2 * np.pi * 0.4 * seconds)
    elif camera == "zoom":
        reach = rng.uniform(0.08, 0.22)
        view[:, 2] = 1 + reach * (part if rng.uniform() < 0.5 else 1 - part)
    else:
        for axis, reach in ((0, 0.010 * width), (1, 0.008 * height)):
            for rate in (0.7, 1.9, 4.3):
                view[:, axis] += (
                    reach * np.sin(2 * np.pi * (rate * rng.uniform(0.8, 1.2) * seconds + rng.uniform())) / rate**0.5
                )
    return view


def make_background(
    rng: np.random.Generator, kind: str, camera: str, clutter: bool, size: tuple[int, int], seconds: np.ndarray
) -> Background:
    """Paints a scene.

    Args:
        rng: Source of chance.
        kind: A key of SCENES.
        camera: One of CAMERAS.
        clutter: Whether things move in the background.
        size: Width and height of the frame in pixels.
        seconds: (T,) times of the frames.

    Raises:
        InputError: An unknown kind of scene or camera.
    """
    canvas, floor = _canvas(rng, kind, size)
    return _filmed(rng, kind, canvas, floor, camera, clutter, size, seconds)


def place_background(
    place: int, kind: str, camera: str, clutter: bool, size: tuple[int, int], seconds: np.ndarray
) -> Background:
    """The background of a place, the same for every clip there; it is painted once.

    Args:
        place: Its number, the seed of everything about it.
        kind: A key of SCENES; empty: by chance.
        camera: As in `make_background`, like what follows.
        clutter: Whether things move in the background.
        size: Width and height of the frame in pixels.
        seconds: (T,) times of the frames.
    """
    rng = np.random.default_rng(place)
    kind, canvas, floor, rng.bit_generator.state = _painted(place, kind, size)
    return _filmed(rng, kind, canvas, floor, camera, clutter, size, seconds)


@lru_cache(maxsize=32)
def _painted(place: int, kind: str, size: tuple[int, int]) -> tuple[str, np.ndarray, float, Any]:
    """Kind, canvas and floor of a place, and where its source of chance stands after them."""
    rng = np.random.default_rng(place)
    kind = kind or str(rng.choice(list(SCENES)))
    canvas, floor = _canvas(rng, kind, size)
    canvas.flags.writeable = False
    return kind, canvas, floor, rng.bit_generator.state


def _canvas(rng: np.random.Generator, kind: str, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """The painted scene and the row of the frame where its floor begins."""
    if kind not in SCENES:
        raise InputError(f"the studio has no scene {kind!r}", f"known: {', '.join(SCENES)}")
    width, height = size
    pad_x, pad_y = round(MARGIN * width), round(MARGIN * height)
    floor = height * float(rng.uniform(0.5, 0.62))
    # Painted at the scale of a 240-row frame, so that textures and furniture keep their share of larger pictures.
    scale = 240 / height
    wide, high = round((width + 2 * pad_x) * scale), round((height + 2 * pad_y) * scale)
    image: np.ndarray = np.zeros((high, wide, 3), np.float32)
    SCENES[kind](rng, image, round((floor + pad_y) * scale))
    image = cv2.resize(image, (width + 2 * pad_x, height + 2 * pad_y), interpolation=cv2.INTER_CUBIC)
    light = (
        1
        + 0.12 * noise(rng, image.shape[0], image.shape[1], 2, 1)
        - 0.15 * rng.uniform() * np.linspace(-1, 1, image.shape[1])
    )
    image = cv2.GaussianBlur(image * light[..., None], (0, 0), 0.6)  # a lens is never as sharp as a drawing
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8), floor


def _filmed(
    rng: np.random.Generator,
    kind: str,
    canvas: np.ndarray,
    floor: float,
    camera: str,
    clutter: bool,
    size: tuple[int, int],
    seconds: np.ndarray,
) -> Background:
    """A painted scene with what moves in it, and the camera's movement."""
    if camera not in CAMERAS:
        raise InputError(f"the studio has no camera {camera!r}", f"known: {', '.join(CAMERAS)}")
    movers = _movers(rng, (canvas.shape[1], canvas.shape[0]), seconds) if clutter else ()
    return Background(canvas, size, floor, _view(rng, camera, size, seconds), movers, kind, camera)
