"""The frames of clips by their numbers: from the file, from memory, or from a folder of decoded frames.

Decoding is what a loader spends its time on. Of an H.264 file with time stamps only what the wanted frames need is
decoded: from the last key frame before the first of them, and no frame in between to which no other one refers. Pixels
are the same as when everything is decoded.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer

from m2m.clips import Clip
from m2m.container import open_video
from m2m.errors import InputError, QuarantineError
from m2m.train.cache import FrameCache
from m2m.train.clips import LabelledSet
from m2m.train.params import InputParams, ModelParams

Size = tuple[int, int]
"""Rows and columns."""

KEPT = Path(".m2m", "frames")
"""Where decoded frames lie in a data set's folder: hidden, and purged with it."""


def covering(frame: tuple[int, ...], size: Size, crop: float) -> Size:
    """Rows and columns to which frames are resized before cropping.

    The smallest crop then has the sample's pixels: nothing is enlarged later that was not small from the start, and
    crops shrink too little to show steps. Frames are never enlarged.
    """
    height, width = frame
    scale = min(1.0, max(size[0] / height, size[1] / width) / crop**0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def decode(
    path: Path, wanted: Iterable[int] | None, size: Size, crop: float, count: int | None = None
) -> dict[int, np.ndarray]:
    """Frames of a video, resized for crops.

    Args:
        path: The file.
        wanted: Numbers of frames; None: all.
        size: Rows and columns of the sample.
        crop: Least share of the area that a crop shows.
        count: Frames of the file; None: not known, so that it has to be decoded from its start.

    Returns:
        (H, W, 3) uint8 RGB by number, with H, W as `covering` gives.

    Raises:
        InputError: The file cannot be decoded as far as needed, or is damaged there.
    """
    numbers = None if wanted is None else set(wanted)
    try:
        frames = None
        if numbers is not None and count is not None:
            with open_video(path, strict=False) as (container, stream):
                frames = _direct(path, container, stream, numbers, count, size, crop)
        if frames is None:
            with open_video(path) as (container, stream):
                frames = {i: _picture(f, size, crop) for i, f in _from_start(path, container, stream, numbers)}
    except (av.FFmpegError, OSError, QuarantineError) as error:
        raise InputError(f"{path} cannot be decoded: {error}", "ingest the data set again") from error
    if not frames or (numbers is not None and numbers - frames.keys()):
        raise InputError(f"{path} has fewer frames than its manifest says", "ingest the data set again")
    return frames


def _from_start(
    path: Path, container: InputContainer, stream: av.VideoStream, wanted: set[int] | None
) -> Iterator[tuple[int, av.VideoFrame]]:
    last = None if wanted is None else max(wanted)
    for index, frame in enumerate(container.decode(stream)):
        _check(path, frame, index)
        if wanted is None or index in wanted:
            yield index, frame
        if index == last:
            break


def _direct(
    path: Path,
    container: InputContainer,
    stream: av.VideoStream,
    wanted: set[int],
    count: int,
    size: Size,
    crop: float,
) -> dict[int, np.ndarray] | None:
    """Wanted frames and no others; None where the file does not allow to find them."""
    # FFmpeg's time stamps of an AVI are in the wrong order where there are B-frames.
    if stream.codec_context.name != "h264" or container.format.name == "avi":
        return None
    packets = [(p.pts, p.is_keyframe) for p in container.demux(stream) if p.size and not p.is_discard]
    stamps = [pts for pts, _ in packets if pts is not None]
    # Each packet must be one of the frames that were counted, or their order says nothing about their numbers.
    if not len(set(stamps)) == len(packets) == count or max(wanted) >= count:
        return None
    stamps.sort()
    number = {pts: index for index, pts in enumerate(stamps)}
    missing = {stamps[index] for index in wanted}
    first = min(missing)
    keys = [pts for pts, key in packets if key and pts is not None and pts <= first]
    if not keys:
        return None
    try:
        container.seek(max(keys), stream=stream)
    except av.FFmpegError:  # not every container can
        return None
    frames: dict[int, np.ndarray] = {}
    for frame in _needed(container, stream, missing):
        if frame.pts is not None and frame.pts >= first:  # earlier ones may lack what lies before the key frame
            _check(path, frame, number.get(frame.pts, -1))
        if frame.pts in missing:
            frames[number[frame.pts]] = _picture(frame, size, crop)
    # Where a key frame promises more than it holds, the decoder keeps back what follows: then all is decoded.
    return frames if len(frames) == len(missing) else None


def _needed(container: InputContainer, stream: av.VideoStream, stamps: set[int]) -> Iterator[av.VideoFrame]:
    """Decodes until the frames with these time stamps are there, without others to which none refers."""
    missing = set(stamps)
    for packet in container.demux(stream):
        stream.codec_context.skip_frame = "DEFAULT" if packet.pts in stamps else "NONREF"
        missing.discard(packet.pts)
        yield from packet.decode()
        if not missing:
            yield from stream.decode(None)
            return


def _check(path: Path, frame: av.VideoFrame, index: int) -> None:
    if frame.is_corrupt:
        raise InputError(f"{path} is damaged at frame {index}", "ingest the data set again")


def _picture(frame: av.VideoFrame, size: Size, crop: float) -> np.ndarray:
    turns = round(frame.rotation / 90) % 4
    own = (frame.width, frame.height) if turns % 2 else (frame.height, frame.width)
    height, width = covering(own, size, crop)
    scaled: dict[str, Any] = {}
    if (height, width) != own:
        # In one go with the change of colours, and by areas: half the time of doing one after the other.
        rows, columns = (width, height) if turns % 2 else (height, width)
        scaled = {"width": columns, "height": rows, "interpolation": "AREA"}
    image = frame.to_ndarray(format="rgb24", threads=1, **scaled)
    return np.ascontiguousarray(np.rot90(image, turns))


class Frames:
    """The frames of clips of a data set.

    Args:
        data: The data set.
        clips: Those of its clips that are read here.
        model: Size of a sample.
        params: The least crop, and where decoded frames are kept.

    Raises:
        InputError: Frames are to be kept, and a clip cannot be decoded or there is not enough room.
    """

    def __init__(self, data: LabelledSet, clips: Sequence[Clip], model: ModelParams, params: InputParams) -> None:
        self._clips, self._paths = clips, [data.folder / c.path for c in clips]
        self._size, self._crop = model.size, params.least_crop
        self._kept = [self._whole(i) for i in range(len(clips))] if params.cache == "memory" else []
        self._cache = None
        if params.cache == "disk":
            everything = data.train + data.val  # the other split must not be thrown out to make room for this one
            self._cache = FrameCache(Path(params.cache_folder or data.folder / KEPT), self._size, self._crop)
            shapes = [covering((c.height, c.width), self._size, self._crop) for c in everything]
            sizes = [3 * c.n_frames * h * w for c, (h, w) in zip(everything, shapes, strict=True)]
            self._cache.reserve(everything, sizes, params.cache_gib)

    def take(self, index: int, wanted: Iterable[int]) -> dict[int, np.ndarray]:
        """Frames of a clip by their numbers.

        Args:
            index: Number of the clip.
            wanted: Numbers of frames.

        Returns:
            (H, W, 3) uint8 RGB each; not to be written to.

        Raises:
            InputError: The clip cannot be decoded.
            InfrastructureError: Frames are to be kept on a disk, and it refuses.
        """
        numbers = sorted({int(i) for i in wanted})
        if self._kept:
            return {i: self._kept[index][i] for i in numbers}
        if self._cache is not None:
            clip = self._clips[index]
            kept = self._cache.find(clip, numbers)
            if kept is None:
                kept = self._whole(index)
                self._cache.add(clip, kept)
            return {i: kept[i] for i in numbers}
        return decode(self._paths[index], numbers, self._size, self._crop, self._clips[index].n_frames)

    def _whole(self, index: int) -> np.ndarray:
        path, n = self._paths[index], self._clips[index].n_frames
        frames = decode(path, None, self._size, self._crop)
        if len(frames) < n:
            raise InputError(f"{path} has {len(frames)} of {n} frames", "ingest the data set again")
        return np.stack([frames[i] for i in sorted(frames)])
