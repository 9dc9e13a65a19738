"""Video files: probe, read, take a picture, write.

A file is refused rather than shortened or mended: reading ends with an error where decoding stops early, a picture is
damaged or lost, or less is found than the container announces. What a codec without checksums decodes without a sign of
damage is taken as it is. Pixels are taken as they are stored: rotation is applied, a sample aspect ratio other than 1
is not (340x256 pixels of 64:51 stay 340x256), and nothing is deinterlaced.
"""

import errno
import os
import shutil
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from m2m.announced import COUNTED, announced, damaged, pictures, slack
from m2m.chains import broken
from m2m.container import MOST_PIXELS, open_video, unreadable
from m2m.errors import QuarantineError
from m2m.files import DISK_ERRORS, commit, discard, disk_error, disk_errors, temporary

SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts"}
    | {".vob", ".webm", ".wmv"}
)
"""Suffixes by which files are taken for videos, in lower case."""

# Without these, colours come out up to 2.4 levels too dark, and other bytes on other CPUs.
EXACT = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT)
BT709, UNSPECIFIED, BT601 = 1, 2, 6
LIMITED = 1

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")

ROUNDING = Fraction(1, 4)
"""Seconds by which a length for all streams may exceed the last packet: few say how long that one lasts."""


@dataclass(frozen=True)
class VideoParams:
    """How clips are encoded with H.264.

    Attributes:
        crf: Constant rate factor of x264, 0 (lossless) to 51.
        preset: Preset of x264.
        threads: Threads of the encoder; other numbers give other bytes.
    """

    crf: int = 18
    preset: str = "medium"
    threads: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= 51:
            raise ValueError(f"crf is 0 to 51, not {self.crf}")
        if self.preset not in PRESETS:
            raise ValueError(f"preset is one of {', '.join(PRESETS)}, not {self.preset!r}")
        if not 1 <= self.threads <= 64:
            raise ValueError(f"threads is 1 to 64, not {self.threads}")


@dataclass(frozen=True)
class VideoInfo:
    """What a video file is.

    Attributes:
        width: Width in pixels after rotation; the sample aspect ratio is not applied.
        height: Height in pixels after rotation.
        fps: Frames a second; the average where it varies.
        time_base: Seconds a tick of the time stamps where the frame rate varies; None where it is constant.
        n_frames: Frames that were decoded; None where that was not asked for.
        duration: Seconds from the first frame to the end of the last.
        rotation: Degrees counterclockwise by which the stored picture is turned to be shown: 0, 90, 180 or 270.
        has_audio: Whether there is a sound track.
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the decoder.
        aspect: How much wider than high a pixel is to be shown, as the file says; 1 where it says nothing.
    """

    width: int
    height: int
    fps: Fraction
    time_base: Fraction | None
    n_frames: int | None
    duration: Fraction
    rotation: int
    has_audio: bool
    container: str
    codec: str
    aspect: Fraction = Fraction(1)

    @property
    def variable(self) -> bool:
        """Whether the frame rate varies."""
        return self.time_base is not None


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        index: Its number from 0.
        pts: Seconds from the first frame, exact.
    """

    image: np.ndarray
    index: int
    pts: Fraction


def probe(path: Path, *, count: bool = False) -> VideoInfo:
    """Looks at a file: all packets, and the first frame.

    Args:
        path: The file.
        count: Decode all of it and say how many frames there are.

    Raises:
        QuarantineError: `unreadable`: not a video, without a frame that can be decoded, or shorter than announced; with
            `count` also whatever `read` refuses.
    """
    info, expected = _look(path)
    return replace(info, n_frames=sum(1 for _ in _whole(path, info, expected))) if count else info


def _counted(path: Path) -> VideoInfo:
    """Looks at a file as `probe` does, and counts pictures by packets."""
    info, expected = _look(path)
    return replace(info, n_frames=expected.pictures)


def read(path: Path, size: tuple[int, int] | None = None) -> Iterator[Frame]:
    """Decodes a file, one frame in memory at a time.

    Args:
        path: The file.
        size: (width, height) to resize to, without regard to the shape of the picture. None: the size of the source,
            less one row or column where that is odd, because H.264 needs even sides.

    Yields:
        Frames in order of presentation.

    Raises:
        QuarantineError: `unreadable`: as for `probe`; or decoding stops with an error or before the announced end.
            Frames before the fault have been delivered by then: drop what came of them.
    """
    info, expected = _look(path)
    if size is None:
        size = (info.width - info.width % 2, info.height - info.height % 2)
        if min(size) < 2:
            raise unreadable(path, f"the picture is only {info.width}x{info.height} pixels")
    for index, (frame, pts) in enumerate(_whole(path, info, expected)):
        yield Frame(_picture(frame, size), index, pts)


def picture(path: Path, index: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """One frame of a file; those before it are decoded and not converted, those after it are left alone.

    Args:
        path: The file.
        index: The frame's number from 0.
        size: (width, height) to resize to, as for `read`. None: the size of the source.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        QuarantineError: `unreadable`: it is not a video, decoding stops before the frame, or there is no such frame.
    """
    for number, frame in enumerate(_decode(path)):
        if number == index:
            turned = _rotation(frame) % 180
            own = (frame.height, frame.width) if turned else (frame.width, frame.height)
            return _picture(frame, size or own)
    raise unreadable(path, f"it has no frame {index}")


@dataclass(frozen=True)
class _Expected:
    """What all packets together promise.

    Attributes:
        pictures: How many pictures must be decoded.
        stamps: Time stamps of the packets, sorted; empty where they cannot be trusted.
    """

    pictures: int
    stamps: list[int]


def _look(path: Path) -> tuple[VideoInfo, _Expected]:
    """Reads all packets without decoding, then decodes one frame."""
    with open_video(path) as (container, stream):
        name, codec = container.format.name, stream.codec_context.name
        pts: list[int | None] = []
        own_end, expected, listed, last = 0, 0, 0, 0
        any_start: Fraction | None = None
        any_end = Fraction(0)
        try:
            for packet in container.demux():
                stamp = packet.pts if packet.pts is not None else packet.dts
                end = None if stamp is None else stamp + (packet.duration or 0)
                if stamp is not None and end is not None:
                    start = stamp * packet.time_base
                    any_start = start if any_start is None else min(any_start, start)
                    any_end = max(any_end, end * packet.time_base)
                if packet.stream is not stream or not packet.size:
                    continue
                if damaged(packet, codec):
                    raise unreadable(path, f"picture {listed} was not stored whole", frame=listed)
                listed += 1
                last = pictures(packet, codec)
                expected += last
                if not packet.is_discard:
                    pts.append(packet.pts)
                    own_end = max(own_end, end or 0)
        except av.FFmpegError as error:
            raise unreadable(path, f"reading stopped after {len(pts)} pictures: {error.strerror}") from error
        if not pts or stream.time_base is None:
            raise unreadable(path, "it holds no picture")
        fps, time_base = _rate(path, container, stream, pts)
        stamped = _stamped(container, pts)
        ticks = sorted(p for p in pts if p is not None)
        duration = len(pts) / fps
        if stamped:
            duration = (ticks[-1] - ticks[0]) * stream.time_base + 1 / fps
        said = announced(container, stream, fps)
        reached = duration if said.own else any_end + ROUNDING - ((any_start or 0) if name == "asf" else 0)
        if said.own and stamped:
            reached = max(duration, (own_end - ticks[0]) * stream.time_base)
        if said.seconds is None and name == "asf":
            raise unreadable(path, "it announces no length, as a file that was cut off does")
        if said.seconds is not None and reached < said.seconds - slack(said.seconds, fps):
            raise unreadable(
                path,
                f"it ends after {float(reached):.2f} of the {float(said.seconds):.2f} seconds it announces",
                found_seconds=float(reached),
                announced_seconds=float(said.seconds),
            )
        # FFmpeg writes AVIs that announce a picture more than they hold.
        if name in COUNTED and stream.frames and listed not in (stream.frames, stream.frames - (name == "avi")):
            text = f"it announces {stream.frames} pictures, and {listed} were found"
            raise unreadable(path, text, frames=listed, announced_frames=stream.frames)
        if gap := broken(path, name):
            raise unreadable(path, gap)
        has_audio = bool(container.streams.audio)
        aspect = Fraction(stream.sample_aspect_ratio or 1)
    frame = next(_decode(path), None)
    if frame is None:
        raise unreadable(path, "no picture in it can be decoded")
    rotation = _rotation(frame)
    width, height = (frame.height, frame.width) if rotation % 180 else (frame.width, frame.height)
    aspect = 1 / aspect if rotation % 180 else aspect
    info = VideoInfo(width, height, fps, time_base, None, duration, rotation, has_audio, name, codec, aspect)
    # The decoder of MPEG-4 keeps the second picture of a packet until another packet comes: the last one's is lost.
    return info, _Expected(expected - max(0, last - 1), ticks if stamped else [])


def _stamped(container: InputContainer, pts: list[int | None]) -> bool:
    """Whether the time stamps can be trusted. AVI has none; with B-frames FFmpeg's are in the wrong order."""
    return container.format.name != "avi" and None not in pts and len(set(pts)) == len(pts)


def _rate(
    path: Path, container: InputContainer, stream: av.VideoStream, pts: list[int | None]
) -> tuple[Fraction, Fraction | None]:
    """Frames a second; and the time base, if the time stamps do not lie on a grid of any announced rate."""
    rates = [Fraction(r) for r in (stream.guessed_rate, stream.average_rate, stream.base_rate) if r]
    if not rates:
        raise unreadable(path, "it has no frame rate")
    if not _stamped(container, pts):
        return rates[0], None
    base = Fraction(stream.time_base or 1)
    ticks = sorted(p for p in pts if p is not None)
    steps = {b - a for a, b in pairwise(ticks)}
    if len(steps) == 1:
        return 1 / (steps.pop() * base), None
    for rate in rates:
        # Containers round time stamps to ticks: one tick of difference is no variation.
        if all(abs((tick - ticks[0]) * base - k / rate) <= base for k, tick in enumerate(ticks)):
            return rate, None
    return (len(ticks) - 1) / ((ticks[-1] - ticks[0]) * base), base


def _decode(path: Path) -> Iterator[av.VideoFrame]:
    index, size = 0, (0, 0)
    with open_video(path) as (container, stream):
        try:
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise unreadable(path, f"frame {index} is damaged", frame=index)
                if index and (frame.width, frame.height) != size:
                    text = (
                        f"its pictures change from {size[0]}x{size[1]} to {frame.width}x{frame.height} at frame {index}"
                    )
                    raise unreadable(path, text, frame=index)
                size = frame.width, frame.height
                yield frame
                index += 1
        except av.FFmpegError as error:
            most = "" if index else f"; a picture may have {MOST_PIXELS} pixels at most"
            raise unreadable(path, f"decoding stopped at frame {index}: {error.strerror}{most}", frame=index) from error


def _whole(path: Path, info: VideoInfo, expected: _Expected) -> Iterator[tuple[av.VideoFrame, Fraction]]:
    """All frames with their seconds from the first; an error if they do not reach the end."""
    count, pts, origin, fields, first = 0, Fraction(-1), 0, False, None
    for count, frame in enumerate(_decode(path), 1):
        if count == 1:
            fields, first = frame.interlaced_frame, frame.pts
        if info.time_base is None:
            pts = (count - 1) / info.fps
        else:
            origin = frame.pts if count == 1 and frame.pts is not None else origin
            previous, pts = pts, Fraction(-1) if frame.pts is None else (frame.pts - origin) * info.time_base
            if pts <= previous:
                raise unreadable(path, f"the time stamp of frame {count - 1} does not come after the one before it")
        yield frame, pts
    end = pts + 1 / info.fps
    if end < info.duration - slack(info.duration, info.fps):
        text = f"only {count} frames, {float(end):.2f} of {float(info.duration):.2f} seconds, could be decoded"
        raise unreadable(path, text, frames=count, found_seconds=float(end), announced_seconds=float(info.duration))
    # Pictures before the first that needs no other cannot be decoded; of interlaced ones a packet may hold a half.
    wanted = expected.pictures - (0 if first is None else bisect_left(expected.stamps, first))
    if count < (wanted // 2 if fields else wanted):
        raise unreadable(path, f"only {count} of its {expected.pictures} pictures could be decoded", frames=count)


def _rotation(frame: av.VideoFrame) -> int:
    return round(frame.rotation / 90) * 90 % 360


def _picture(frame: av.VideoFrame, size: tuple[int, int]) -> np.ndarray:
    """RGB pixels of a frame as it is to be shown, (height, width, 3) uint8."""
    if frame.colorspace == UNSPECIFIED and frame.height >= 720:
        frame.colorspace = BT709  # what players take an untagged HD video for; below, FFmpeg takes BT.601 as they do
    image = frame.to_ndarray(format="rgb24", interpolation=EXACT)
    return resize(np.rot90(image, _rotation(frame) // 90), size)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image (H, W, 3) at another size (width, height): areas where it shrinks, linear where it grows.

    One odd row or column too many is cropped, not resampled.
    """
    height, width = image.shape[:2]
    if width - size[0] in (0, 1) and height - size[1] in (0, 1):
        return np.ascontiguousarray(image[: size[1], : size[0]])
    smaller = (min(width, size[0]), min(height, size[1]))
    if smaller != (width, height):
        image = cv2.resize(np.ascontiguousarray(image), smaller, interpolation=cv2.INTER_AREA)
    return cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_LINEAR)


class Writer:
    """Writes one video; the file appears whole at the end of the block, or not at all.

    The same frames, parameters and thread count give the same bytes on one type of CPU. No sound, no metadata. H.264 in
    MP4 has the constant frame rate written exactly, or the time stamps as they are; its colours are tagged as what they
    are: BT.709 primaries with the BT.601 matrix, so that readers that ignore the tag (most data loaders) see them right
    too. FFV1 in Matroska is lossless in RGB; Matroska rounds time stamps to milliseconds.

    Args:
        path: The file.
        size: (width, height) in pixels; even for H.264.
        fps: Frames a second; the average where `time_base` is given.
        params: How to encode.
        time_base: Seconds a tick; `write` then needs the time of every frame. None: a constant frame rate.
        lossless: FFV1 in Matroska instead of H.264 in MP4.
        decoded: Whether the finished file is decoded to see that it is whole; otherwise its packets are counted.

    Raises:
        InfrastructureError: The folder cannot be written, or is full.
        ValueError: H.264 and an odd side.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: Fraction,
        params: VideoParams | None = None,
        *,
        time_base: Fraction | None = None,
        lossless: bool = False,
        decoded: bool = True,
    ) -> None:
        if not lossless and (size[0] % 2 or size[1] % 2):
            raise ValueError(f"H.264 needs even sides, not {size[0]}x{size[1]}")
        self.path = path
        self.size = size
        self.fps = Fraction(fps)
        self.params = params or VideoParams()
        self.time_base = time_base
        self.lossless = lossless
        self.decoded = decoded
        self.n_frames = 0
        self._reformatter = VideoReformatter()  # a frame's own would be set up anew every time
        self._part = temporary(path)
        with self._disk():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part.touch()  # FFmpeg opens it only with the first frame
            self._container = av.open(
                f"file:{self._part.absolute()}",
                "w",
                format="matroska" if lossless else "mp4",
                options={"fflags": "+bitexact"} if lossless else {"fflags": "+bitexact", "movflags": "+faststart"},
            )
        self._stream = self._add_stream()

    def _add_stream(self) -> av.VideoStream:
        if self.lossless:
            options = {"level": "3", "g": "1", "slices": "4", "slicecrc": "1"}
        else:
            # Macroblock trees come out different from run to run (x264 164, measured); without them bytes are the same.
            options = {"crf": str(self.params.crf), "preset": self.params.preset, "x264-params": "mbtree=0"}
        stream = self._container.add_stream("ffv1" if self.lossless else "libx264", rate=self.fps, options=options)
        codec = stream.codec_context
        codec.width, codec.height = self.size
        codec.pix_fmt = "bgr0" if self.lossless else "yuv420p"
        codec.time_base = self.time_base or 1 / self.fps
        codec.thread_count = self.params.threads
        codec.thread_type = "SLICE" if self.lossless else "FRAME"
        codec.flags |= Flags.bitexact
        if not self.lossless:
            codec.color_primaries, codec.color_trc, codec.colorspace = BT709, BT709, BT601
            codec.color_range = LIMITED
        return stream

    def write(self, image: np.ndarray, pts: Fraction | None = None) -> None:
        """Adds a frame.

        Args:
            image: (height, width, 3) uint8 RGB.
            pts: Its time in seconds, later than the last one's; only needed, and only used, with a `time_base`.

        Raises:
            InfrastructureError: The disk is full or fails.
            ValueError: Another size or type, or a time that is not a whole tick.
        """
        if image.shape != (self.size[1], self.size[0], 3) or image.dtype != np.uint8:
            raise ValueError(f"a frame must be {self.size[1]}x{self.size[0]}x3 uint8, not {image.shape} {image.dtype}")
        tick = Fraction(self.n_frames)
        if self.time_base is not None:
            if pts is None:
                raise ValueError("where the frame rate varies, a frame needs its time")
            tick = Fraction(pts) / self.time_base
            if tick.denominator != 1:
                raise ValueError(f"{pts} s is no multiple of the time base {self.time_base}")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        if self.lossless:
            frame = self._reformatter.reformat(frame, format="bgr0")
        else:
            matrix = {"dst_colorspace": Colorspace.SMPTE170M, "interpolation": EXACT}
            frame = self._reformatter.reformat(frame, format="yuv420p", **matrix)
        frame.pts, frame.time_base = int(tick), self.time_base or 1 / self.fps
        self._mux(frame)
        self.n_frames += 1

    def _mux(self, frame: av.VideoFrame | None) -> None:
        packets = self._stream.encode(frame)
        with self._disk():
            self._container.mux(packets)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
            else:
                self._abandon()
        finally:
            discard(self._part)

    def _finish(self) -> None:
        if not self.n_frames:
            self._abandon()
            raise QuarantineError("error", f"no frame of {self.path.name!r} was written")
        try:
            self._mux(None)
        except BaseException:
            self._abandon()
            raise
        with self._disk():
            self._container.close()
        self._verify()
        with disk_errors(self.path.parent):
            commit(self._part, self.path)

    def _abandon(self) -> None:
        # Closing writes a trailer, which may fail for the same reason as before; the file is dropped either way.
        with suppress(av.FFmpegError, OSError):
            self._container.close()

    def _verify(self) -> None:
        """Reads the file back: a disk that fills up is not always noticed while writing."""
        try:
            info = probe(self._part, count=True) if self.decoded else _counted(self._part)
        except QuarantineError as error:
            if shutil.disk_usage(self.path.parent).free < 2**20:
                raise disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), self.path.parent) from error
            raise QuarantineError("error", f"{self.path.name!r} cannot be read back: {error.what}") from error
        found, want = (info.n_frames, info.width, info.height), (self.n_frames, *self.size)
        if found != want:
            text = f"{self.path.name!r} has (frames, width, height) {found} when read back, not {want}"
            raise QuarantineError("error", text)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Errors of the disk, whoever reports them."""
        try:
            yield
        except OSError as error:
            raise disk_error(error, self.path.parent) from error
        except av.FFmpegError as error:
            if error.errno not in DISK_ERRORS:
                raise
            raise disk_error(OSError(error.errno, error.strerror), self.path.parent) from error
