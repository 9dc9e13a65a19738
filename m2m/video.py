"""Videos: probe, read, write. FFmpeg through PyAV; every frame is accounted for."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
import cv2
import numpy as np

from m2m.errors import InfrastructureError, InputError, QuarantineError

PICTURES = ("image2", "_pipe", "gif", "ico", "webp", "mjpeg")
"""Container names of pictures: a photograph named .mp4 opens as a video of one frame."""


@dataclass(frozen=True)
class VideoParams:
    """How clips are encoded.

    Attributes:
        codec: `libx264`, or `ffv1` (lossless, in Matroska).
        crf: x264's constant rate factor, 0 to 51, smaller is better.
        preset: x264's preset.
        threads: Encoder threads; the bytes depend on it, so it is fixed.
    """

    codec: str = "libx264"
    crf: int = 18
    preset: str = "medium"
    threads: int = 2

    def __post_init__(self) -> None:
        if self.codec not in ("libx264", "ffv1"):
            raise ValueError(f"codec is libx264 or ffv1, not {self.codec!r}")
        if not 0 <= self.crf <= 51:
            raise ValueError(f"crf is 0 to 51, not {self.crf}")
        if self.threads < 1:
            raise ValueError(f"threads must be 1 or more, not {self.threads}")


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of its video.

    Attributes:
        width: Pixels, after rotation.
        height: Pixels, after rotation.
        fps: Frames per second, exact; the average where the rate varies.
        time_base: Unit of the file's time stamps, seconds.
        frames: Announced number of frames, 0 where the file does not say.
        rotation: Degrees counter-clockwise to apply: 0, 90, 180 or 270.
        audio: Whether there is sound.
        variable: Whether time stamps do not follow one rate.
        codec: Name of the codec.
        container: FFmpeg's name of the container.
    """

    width: int
    height: int
    fps: Fraction
    time_base: Fraction
    frames: int
    rotation: int
    audio: bool
    variable: bool
    codec: str
    container: str


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        seconds: Presentation time from the first frame, exact.
    """

    image: np.ndarray
    seconds: Fraction


def _open(path: Path) -> tuple["av.container.InputContainer", "av.VideoStream"]:
    """Opens a file that holds a video, or says why it is none."""
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.stat().st_size == 0:
        raise QuarantineError("unreadable", f"{path.name} is empty (0 bytes)")
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError) as error:
        raise QuarantineError("unreadable", f"{path.name} is not a video: {_words(error)}") from error
    name = container.format.name
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    problem = None
    if any(p in name for p in PICTURES):
        problem = f"is a picture ({name}), not a video"
    elif not streams and container.streams.audio:
        problem = "holds sound and no video"
    elif not streams:
        problem = f"holds no video ({name})"
    if problem:
        container.close()
        raise QuarantineError("unreadable", f"{path.name} {problem}")
    stream = streams[0]
    # One thread: with more, what is concealed in a damaged stream would depend on timing.
    stream.codec_context.thread_count = 1
    return container, stream


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def probe(path: Path) -> VideoInfo:
    """Reads what a file says of its video; the packets are counted, one frame is decoded.

    Raises:
        InputError: The file does not exist.
        QuarantineError: `unreadable`: it is not a video, or nothing in it can be decoded.
    """
    container, stream = _open(path)
    with container:
        try:
            times = sorted(p.pts for p in container.demux(stream) if p.size and p.pts is not None)
            container.seek(0)
            first = next(container.decode(stream))
        except StopIteration:
            raise QuarantineError("unreadable", f"{path.name} holds no frame that can be decoded") from None
        except av.error.FFmpegError as error:
            raise QuarantineError("unreadable", f"{path.name} cannot be decoded: {_words(error)}") from error
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate
        if not rate:
            raise QuarantineError("unreadable", f"{path.name} has no frame rate")
        fps, base = Fraction(rate), Fraction(stream.time_base)
        turned = first.rotation % 180 == 90
        announced = stream.frames or (round(float(stream.duration * base * fps)) if stream.duration else 0)
        return VideoInfo(
            width=first.height if turned else first.width,
            height=first.width if turned else first.height,
            fps=fps,
            time_base=base,
            frames=announced,
            rotation=first.rotation % 360,
            audio=bool(container.streams.audio),
            variable=_varies(times, base, fps),
            codec=stream.codec_context.name,
            container=container.format.name,
        )


def _varies(times: list[int], base: Fraction, fps: Fraction) -> bool:
    """Whether time stamps leave the grid of one rate by more than rounding to the time base."""
    if len(times) < 3:
        return False
    step = float(1 / (fps * base))
    gaps = np.diff(times)
    return bool(np.abs(gaps - step).max() > max(1.01, 0.1 * step))


def even_size(info: VideoInfo) -> tuple[int, int]:
    """The source's width and height with an odd last column or row cut off, as yuv420p needs."""
    return info.width // 2 * 2, info.height // 2 * 2


def read(path: Path, size: tuple[int, int] | None = None) -> Iterator[Frame]:
    """Decodes a video, one frame in memory at a time, rotation applied.

    Args:
        path: The file.
        size: Width and height to resize to; None: the source's, cut to even.

    Yields:
        Every frame in order.

    Raises:
        InputError: The file does not exist.
        QuarantineError: `unreadable`: not a video, decoding stopped with an error, or fewer frames came out than the
            file announces (two frames or 2 % are forgiven: some writers count one too many).
    """
    info = probe(path)
    container, stream = _open(path)
    count, first = 0, None
    with container:
        try:
            for decoded in container.decode(stream):
                if first is None:
                    first = decoded.pts
                stamp = Fraction(count) / info.fps
                if info.variable and decoded.pts is not None and first is not None:
                    stamp = (decoded.pts - first) * info.time_base
                yield Frame(_image(decoded, size), stamp)
                count += 1
        except av.error.FFmpegError as error:
            raise QuarantineError("unreadable", f"{path.name}: decoding stopped at frame {count}: {_words(error)}") from error
    missing = info.frames - count
    if missing > max(2, 0.02 * info.frames):
        raise QuarantineError("unreadable", f"{path.name} announces {info.frames} frames and holds {count}: truncated?")


def _image(frame: av.VideoFrame, size: tuple[int, int] | None) -> np.ndarray:
    matrix = "ITU709" if frame.colorspace == 1 or (frame.colorspace == 2 and frame.height >= 720) else "ITU601"
    image = frame.reformat(format="rgb24", src_colorspace=matrix).to_ndarray()
    if frame.rotation:
        image = np.rot90(image, round(frame.rotation / 90))
    height, width = image.shape[:2]
    if size is None:
        image = image[: height // 2 * 2, : width // 2 * 2]
    elif (width, height) != size:
        shrinks = width > size[0] or height > size[1]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.ascontiguousarray(image)


class Writer:
    """Writes a video; it appears under its name only when it is whole.

    Frames go to a temporary file in the same folder. Leaving the `with` block without an exception closes it, decodes it
    again to count its frames and renames it; with an exception nothing is left. No sound, no metadata.

    Args:
        path: Where the video goes; the folder is made.
        size: Width and height in pixels, even.
        fps: Frames per second, exact.
        params: How to encode.
        time_base: Unit of the time stamps where the rate varies; None: one frame a tick of `fps`.

    Raises:
        InputError: The folder cannot be written.
        InfrastructureError: The disk is full.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: Fraction,
        params: VideoParams | None = None,
        time_base: Fraction | None = None,
    ) -> None:
        params = params or VideoParams()
        self.path, self.size = path, size
        self.part = path.with_name(f".{path.name}.part")
        self.frames = 0
        self._base = time_base or 1 / fps
        self._last = -1
        lossless = params.codec == "ffv1"
        with self._disk():
            path.parent.mkdir(parents=True, exist_ok=True)
            options = {"fflags": "+bitexact"} | ({} if lossless else {"movflags": "+faststart"})
            self._container = av.open(str(self.part), "w", format="matroska" if lossless else "mp4", options=options)
            stream = self._container.add_stream(params.codec, rate=fps)
            stream.width, stream.height = size
            stream.time_base = stream.codec_context.time_base = self._base
            stream.thread_count = params.threads
            context = stream.codec_context
            if lossless:
                stream.pix_fmt = "bgr0"
                stream.options = {"level": "3", "slicecrc": "1", "flags": "+bitexact"}
            else:
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": str(params.crf), "preset": params.preset}
                # SMPTE 170M, limited range: what the conversion below writes, so players need not guess.
                context.colorspace, context.color_primaries, context.color_trc, context.color_range = 6, 6, 6, 1
        self._stream, self._lossless = stream, lossless

    def write(self, image: np.ndarray, seconds: Fraction | None = None) -> None:
        """Appends a frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            seconds: Time stamp where the rate varies.
        """
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        if self._lossless:
            frame = frame.reformat(format="bgr0")
        else:
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU601", dst_color_range="MPEG")
        ticks = self.frames if seconds is None else round(seconds / self._base)
        self._last = max(self._last + 1, ticks)
        frame.pts, frame.time_base = self._last, self._base
        with self._disk():
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        self.frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None and self.frames:
                self._finish()
        finally:
            self._discard()

    def _finish(self) -> None:
        with self._disk():
            for packet in self._stream.encode():
                self._container.mux(packet)
            self._container.close()
            with self.part.open("rb+") as file:
                os.fsync(file.fileno())
        with av.open(str(self.part)) as container:
            written = sum(1 for _ in container.decode(video=0))
        if written != self.frames:
            raise InfrastructureError(f"{self.path} came out with {written} of {self.frames} frames", "try again")
        self.part.replace(self.path)

    def _discard(self) -> None:
        if self.part.exists():
            # Closing writes the trailer, for which a full disk has no room either; the file goes anyway.
            with contextlib.suppress(av.error.FFmpegError, OSError):
                self._container.close()
            self.part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        """Names the folder when the disk is full or closed to us."""
        try:
            yield
        except OSError as error:  # PyAV's errors are OSErrors where FFmpeg names an errno
            folder = self.path.parent
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                free = shutil.disk_usage(folder).free >> 20
                raise InfrastructureError(f"no room left in {folder} ({free} MiB free)", "free some and run again") from error
            raise InputError(f"cannot write {self.path}: {_words(error)}") from error
