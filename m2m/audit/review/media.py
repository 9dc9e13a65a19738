"""What the page of a review shows: clips as small videos, doubtful frames with boxes, all as data addresses."""

import base64
import struct
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from m2m import video
from m2m.video import VideoParams, Writer

ENCODING = VideoParams(crf=20, preset="veryfast", threads=1)
SMALLEST = 1 << 14
BOX = (255, 64, 32)
ZOOM = 160
"""Pixels of a crop's longer side at least: a face of 10 pixels is enlarged."""


def encoded(path: Path, frames: Iterator[np.ndarray] | None = None) -> bytes:
    """A clip as an MP4, encoded anew, so that a clip with a plant and one without are made in the same way.

    Args:
        path: The clip.
        frames: What to show instead of its frames, (H, W, 3) uint8 RGB.

    Returns:
        The file, padded: its length says no more than to what quarter of a power of 2 it comes.

    Raises:
        QuarantineError: The clip cannot be read.
        InfrastructureError: The disk is full.
    """
    info = video.probe(path)
    size = info.width - info.width % 2, info.height - info.height % 2
    shown = frames if frames is not None else images(path)
    with tempfile.TemporaryDirectory(prefix="m2m-review-") as scratch:
        out = Path(scratch) / "clip.mp4"
        with Writer(out, size, info.fps, ENCODING) as writer:
            for frame in shown:
                writer.write(np.ascontiguousarray(frame[: size[1], : size[0]]))
        return padded(out.read_bytes())


def images(path: Path) -> Iterator[np.ndarray]:
    """The frames of a clip, (H, W, 3) uint8 RGB.

    Raises:
        QuarantineError: It cannot be read.
    """
    return (frame.image for frame in video.read(path))


def padded(data: bytes) -> bytes:
    """An MP4 of a round length: the rest is an empty box, which players skip."""
    room = SMALLEST
    while 2 * room < len(data) + 8:
        room *= 2
    step = room // 4
    while room < len(data) + 8:
        room += step
    rest = room - len(data)
    return data + struct.pack(">I4s", rest, b"free") + bytes(rest - 8)


def address(data: bytes, kind: str) -> str:
    """Bytes as a data address."""
    return f"data:{kind};base64," + base64.b64encode(data).decode()


def still(frame: np.ndarray, boxes: Sequence[Sequence[float]] = ()) -> str:
    """A frame (H, W, 3) uint8 RGB with boxes drawn into it, as the address of a PNG."""
    out = np.ascontiguousarray(frame[..., ::-1])
    for box in boxes:
        x0, y0, x1, y1 = (round(v) for v in box)
        cv2.rectangle(out, (x0 - 1, y0 - 1), (x1, y1), BOX[::-1], 1)
    return _png(out)


def close_up(frame: np.ndarray, box: Sequence[float]) -> str:
    """What lies in and around a box, enlarged, as the address of a PNG."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = box
    dx, dy = 0.3 * (x1 - x0), 0.3 * (y1 - y0)
    rows = slice(max(0, int(y0 - dy)), min(height, max(int(y1 + dy), int(y0) + 8)))
    columns = slice(max(0, int(x0 - dx)), min(width, max(int(x1 + dx), int(x0) + 8)))
    part = frame[rows, columns]
    if not part.size:
        return still(frame)
    factor = max(1, round(ZOOM / max(part.shape[:2])))
    return _png(np.repeat(np.repeat(part, factor, 0), factor, 1)[..., ::-1])


def _png(image: np.ndarray) -> str:
    done, data = cv2.imencode(".png", np.ascontiguousarray(image))
    if not done:
        raise ValueError("the picture cannot be encoded")
    return address(data.tobytes(), "image/png")
