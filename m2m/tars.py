"""The tars of a packed data set: written so that equal clips give equal bytes, read with suspicion."""

import hashlib
import re
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from m2m.clips import Clip
from m2m.errors import InputError
from m2m.store import copy_hashed

VIDEO = re.compile(r"videos/[A-Za-z0-9_][A-Za-z0-9._-]*")


def member(clip: Clip) -> str:
    """Where a packed clip lies, in its tar as in the working data set: safe whatever its source was called."""
    suffix = Path(clip.path).suffix
    return f"videos/{clip.clip_id}{suffix if re.fullmatch('[.][A-Za-z0-9]+', suffix) else ''}"


def write(tar: Path, dataset: Path, clips: Sequence[Clip], index: int) -> list[Clip]:
    """Writes a tar. The same clips give the same bytes.

    Args:
        tar: The file; must not exist.
        dataset: Folder of the clips' paths.
        clips: What to pack.
        index: Number of the shard.

    Returns:
        The clips sorted by id, with their path, shard and offset in the tar.

    Raises:
        InputError: A video is missing, or has other bytes than its clip says.
        OSError: The disk refused.
    """
    packed = []
    with tar.open("xb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for clip in sorted(clips, key=lambda c: c.clip_id):
            try:
                source = (dataset / clip.path).open("rb")
            except OSError as error:
                raise InputError(f"cannot read {dataset / clip.path}: {error.strerror}") from error
            with source:
                reader = _Hashing(source)
                info = tarfile.TarInfo(member(clip))  # no owner, no time
                info.size = source.seek(0, 2)
                source.seek(0)
                archive.addfile(info, reader)
            if reader.digest.hexdigest() != clip.sha256:
                raise InputError(f"{dataset / clip.path} has other bytes than the manifest says", "run its stage again")
            blocks = -(-info.size // tarfile.BLOCKSIZE)
            offset = file.tell() - blocks * tarfile.BLOCKSIZE
            packed.append(replace(clip, path=info.name, shard=index, offset=offset))
    return packed


class _Hashing:
    """Reads a file and hashes what is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, n: int = -1, /) -> bytes:
        """The next bytes."""
        block = self._file.read(n)
        self.digest.update(block)
        return block


def read(tar: Path, clips: Sequence[Clip], n: int, out: Path) -> None:
    """Writes the videos of some clips, verified; whatever else is odd in the tar is refused, even if its hash is right.

    Args:
        tar: The file.
        clips: Clips that it should hold, with their offsets.
        n: How many videos it should hold.
        out: Where `videos/` is.

    Raises:
        InputError: A video is missing, elsewhere, one too many or has other bytes than its clip says; or the tar holds
            something else, or is none.
        OSError: The disk refused.
    """
    left = {c.path: c for c in clips}
    names: set[str] = set()
    try:
        with tarfile.open(tar, "r:") as archive:
            for entry in archive:
                if entry.type != tarfile.REGTYPE or not VIDEO.fullmatch(entry.name) or entry.name in names:
                    raise InputError(f"{tar.name} holds {entry.name!r}, which is no video of a shard")
                names.add(entry.name)
                clip, source = left.pop(entry.name, None), archive.extractfile(entry)
                if clip is None or source is None:
                    continue
                if entry.offset_data != clip.offset:
                    raise InputError(f"{clip.clip_id} is at {entry.offset_data} in {tar.name}, not {clip.offset}")
                with (out / clip.path).open("xb") as target:
                    found = copy_hashed(source, target)
                if found != clip.sha256:
                    raise InputError(f"{clip.clip_id} in {tar.name} has other bytes than the manifest says")
    except tarfile.TarError as error:
        raise InputError(f"{tar.name} is no tar: {error}") from error
    if left:
        raise InputError(f"{tar.name} lacks {len(left)} of {len(clips)} clips, first {sorted(left)[0]}")
    if len(names) != n:
        raise InputError(f"{tar.name} holds {len(names)} videos and should hold {n}")
