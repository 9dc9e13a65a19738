"""Whole video files to be damaged: a drawn clip in every container and codec that is taken, and real clips."""

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from m2m.studio import StudioParams, draw_dataset
from m2m.video import read

FORMATS = {
    "h264.mp4": ("mp4", "libx264", "yuv420p", {"preset": "veryfast"}),
    "h264_cavlc.mp4": ("mp4", "libx264", "yuv420p", {"x264-params": "cabac=0:bframes=0:slices=4"}),
    "hevc.mp4": ("mp4", "libx265", "yuv420p", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    "av1.mp4": ("mp4", "libsvtav1", "yuv420p", {"preset": "12"}),
    "mpeg4.mp4": ("mp4", "mpeg4", "yuv420p", {"bf": "2"}),
    "prores.mov": ("mov", "prores", "yuv422p10le", {}),
    "mjpeg.mov": ("mov", "mjpeg", "yuvj420p", {}),
    "mpeg4.avi": ("avi", "mpeg4", "yuv420p", {"vtag": "XVID"}),
    "mjpeg.avi": ("avi", "mjpeg", "yuvj420p", {}),
    "h264.mkv": ("matroska", "libx264", "yuv420p", {"preset": "veryfast"}),
    "ffv1.mkv": ("matroska", "ffv1", "bgr0", {"level": "3", "slices": "4", "slicecrc": "1"}),
    "vp8.webm": ("webm", "libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    "vp9.webm": ("webm", "libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    "h264.ts": ("mpegts", "libx264", "yuv420p", {"preset": "veryfast"}),
    "mpeg2.mpg": ("mpeg", "mpeg2video", "yuv420p", {"bf": "2"}),
    "flv1.flv": ("flv", "flv", "yuv420p", {}),
    "wmv2.wmv": ("asf", "wmv2", "yuv420p", {}),
}
"""Container, encoder, pixel format and options by the name of the file."""
FPS = Fraction(25)


@dataclass(frozen=True)
class Seed:
    """A whole file.

    Attributes:
        path: The file.
        frames: Hashes of its pictures.
    """

    path: Path
    frames: tuple[str, ...]


def drawn_frames(folder: Path, n: int = 40, size: tuple[int, int] = (160, 96)) -> list[np.ndarray]:
    """`n` frames of one clip of the studio, somebody who waves: (H, W, 3) uint8 RGB."""
    (path,) = draw_dataset(folder / "drawn", StudioParams(1, 1, seconds=n / 24, fps=24, size=size))
    return [f.image for f in read(path)][:n]


def encode(path: Path, frames: list[np.ndarray], name: str) -> Path:
    """Writes frames in one of `FORMATS`."""
    container, codec, pixels, options = FORMATS[name]
    with av.open(str(path), "w", format=container) as out:
        rate = Fraction(25) if codec != "mpeg4" else FPS
        stream = out.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        stream.codec_context.thread_count = 1
        for image in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)))
        out.mux(stream.encode(None))
    return path


def drawn(folder: Path, names: tuple[str, ...] = tuple(FORMATS), n: int = 40) -> list[Path]:
    """A drawn clip in several formats."""
    frames = drawn_frames(folder, n)
    return [encode(folder / name, frames, name) for name in names]


def real() -> list[Path]:
    """The real clips, where M2M_REAL_CLIPS names the folder that holds them."""
    folder = Path(os.environ.get("M2M_REAL_CLIPS", ""), "clips")
    return sorted(folder.iterdir()) if os.environ.get("M2M_REAL_CLIPS") and folder.is_dir() else []
