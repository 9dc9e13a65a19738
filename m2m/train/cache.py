"""Decoded frames on a disk: what was decoded once is read from then on.

A file a clip, under the hash of the clip, the size of the sample and the version of the decoding: the frames as a
`.npy`, behind them a checksum of each. A file that is cut short or whose frame has another checksum is made anew.
"""

import tokenize
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from m2m.clips import Clip
from m2m.errors import InputError
from m2m.files import commit, discard, disk_errors, temporary

VERSION = 1
"""Counts changes of what a decoded frame is."""

GIB = 2**30


class FrameCache:
    """A folder of decoded frames; several processes may use it at once.

    Args:
        folder: Where the files lie.
        size: Rows and columns of the sample that frames are resized for.
        crop: Least share of the area that a crop shows.
    """

    def __init__(self, folder: Path, size: tuple[int, int], crop: float) -> None:
        self.folder = folder
        self._suffix = f"{size[0]}x{size[1]}-{crop:.6g}-v{VERSION}.npy"

    def path(self, clip: Clip) -> Path:
        """The file of a clip."""
        return self.folder / f"{clip.sha256}-{self._suffix}"

    def reserve(self, clips: Sequence[Clip], sizes: Sequence[int], limit: float) -> None:
        """Makes sure that the frames of these clips have room: files of other clips go, the oldest first.

        Args:
            clips: The clips.
            sizes: Bytes of each one's frames.
            limit: Most GiB in the folder.

        Raises:
            InputError: These clips alone need more.
        """
        needed = sum(sizes)
        if needed > limit * GIB:
            raise InputError(
                f"the decoded frames of {len(clips)} clips take {needed / GIB:.1f} GiB, cache_gib is {limit:g}",
                "raise cache_gib, or decode at every use (cache: none)",
            )
        own = {self.path(clip).name for clip in clips}
        others = []
        for path in self.folder.glob("*.npy"):
            with suppress(FileNotFoundError):  # another process may make room at the same time
                if path.name not in own:
                    others.append((path.stat().st_mtime, path.stat().st_size, path))
        excess = needed + sum(size for _, size, _ in others) - limit * GIB
        for _, size, path in sorted(others):
            if excess <= 0:
                break
            discard(path)
            excess -= size

    def find(self, clip: Clip, wanted: Sequence[int]) -> np.ndarray | None:
        """The frames of a clip, (T, H, W, 3) uint8, of which those wanted have been checked; None: not there."""
        path = self.path(clip)
        try:
            frames = np.load(path, mmap_mode="r", allow_pickle=False)
            if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
                return None
            sums = np.fromfile(path, np.uint32, offset=path.stat().st_size - 4 * len(frames))
        # None yet, or one that was cut short; of a spoilt header NumPy's reader passes on what Python's parser says.
        except (OSError, ValueError, EOFError, SyntaxError, tokenize.TokenError):
            return None
        if len(frames) < clip.n_frames or any(zlib.crc32(frames[i]) != sums[i] for i in wanted):
            return None
        return frames

    def add(self, clip: Clip, frames: np.ndarray) -> None:
        """Keeps the frames of a clip, whole or not at all.

        Raises:
            InfrastructureError: The disk refuses.
        """
        path = self.path(clip)
        part = temporary(path)
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    np.save(file, frames)
                    np.array([zlib.crc32(frame) for frame in frames], np.uint32).tofile(file)
                commit(part, path)
            finally:
                discard(part)
