"""One vector a clip: one frame, described by an encoder; what was described before comes from a cache."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from m2m import video
from m2m.arrays import read_arrays
from m2m.clips import Clip
from m2m.curate.encoder import Encoder
from m2m.curate.frame import entropy_frame, random_frame
from m2m.errors import InputError, QuarantineError
from m2m.fingerprints import fingerprint
from m2m.store import MissingError, Store

CODE_VERSION = "embed.2"
"""Part of the cache's address: raised when another frame is taken or read in another way."""

Vectors = dict[str, np.ndarray]
"""Vectors (d,) float32 by the sha256 of a clip and its label, as `vector_key` joins them."""


class VectorCache:
    """Vectors kept in a store. Pages are only ever added, so runs side by side do not disturb each other.

    Args:
        store: Where; None keeps nothing.
        encoder: Name of the encoder.
        frame: How frames are chosen.
        seed: Seed of the frames.
    """

    def __init__(self, store: Store | None, encoder: str, frame: str, seed: int) -> None:
        self._store = store
        drawn = ("random", seed) if frame == "random" else (frame,)
        self._prefix = f"embeddings/{fingerprint(CODE_VERSION, encoder, *drawn)}/"

    def pages(self) -> Iterator[Vectors]:
        """All that is kept, a page at a time. One that cannot be read is left out: its clips are described again."""
        if self._store is None:
            return
        for key in self._store.keys(self._prefix):
            try:
                keys, vectors = read_arrays(io.BytesIO(self._store.read(key)), ("keys", "vectors"))
                found = dict(zip(keys.tolist(), vectors, strict=True))
            except (MissingError, BadZipFile, ValueError, KeyError, OSError, EOFError):
                continue
            yield found

    def add(self, vectors: Vectors) -> None:
        """Keeps some more.

        Raises:
            InfrastructureError: The store cannot be written.
        """
        if self._store is None or not vectors:
            return
        keys, data = sorted(vectors), io.BytesIO()
        np.savez(data, keys=np.array(keys), vectors=np.stack([vectors[k] for k in keys]))
        self._store.write(f"{self._prefix}{fingerprint(keys)}.npz", data.getvalue())


def vector_key(clip: Clip) -> str:
    """What a clip's vector depends on besides the cache's address."""
    return f"{clip.sha256} {clip.label}"


def embed(clips: Sequence[tuple[Clip, Path]], encoder: Encoder, frame: str, seed: int, workers: int = 1) -> Vectors:
    """Describes clips.

    Args:
        clips: Clips and their files.
        encoder: What describes a frame.
        frame: `random` or `entropy`, as in the stage's parameters.
        seed: Seed of random frames.
        workers: Threads that decode.

    Raises:
        InputError: A clip has no such frame, or the encoder gives what is not finite.
    """

    def picture(pair: tuple[Clip, Path]) -> np.ndarray:
        clip, file = pair
        try:
            index = random_frame(clip, seed) if frame == "random" else entropy_frame(file)
            return video.picture(file, index, encoder.size)
        except QuarantineError as error:
            raise InputError(f"clip {clip.clip_id}: {error.what}", "ingest the source again") from error

    found: Vectors = {}
    with ThreadPoolExecutor(workers) as pool:
        for at in range(0, len(clips), encoder.batch):
            part = clips[at : at + encoder.batch]
            vectors = encoder(list(pool.map(picture, part)), [clip.label for clip, _ in part])
            for (clip, _), vector in zip(part, vectors.astype(np.float32), strict=True):
                if not np.isfinite(vector).all():
                    raise InputError(f"clip {clip.clip_id}: {encoder.name} gives values that are not finite")
                found[vector_key(clip)] = vector
    return found


def gather(
    clips: Sequence[Clip], cache: VectorCache, describe: Callable[[list[Clip]], Iterable[Vectors]], scratch: Path
) -> np.ndarray:
    """The vectors of clips, in their order, from a cache as far as it has them.

    They lie in a file: what is in memory does not grow with their number.

    Args:
        clips: One or more.
        cache: Gets what it does not have.
        describe: Describes clips, some at a time; called with those that the cache does not have, each content once.
        scratch: An empty folder for the file; it must stay while the vectors are used.

    Returns:
        (N, d) float32, mapped into memory.
    """
    rows: dict[str, list[int]] = {}
    for index, clip in enumerate(clips):
        rows.setdefault(vector_key(clip), []).append(index)
    out: np.ndarray | None = None

    def put(vectors: Vectors) -> None:
        nonlocal out
        for key, vector in vectors.items():
            places = rows.pop(key, None)  # pages of runs side by side may have it twice
            if places is None:
                continue
            if out is None:
                shape = (len(clips), len(vector))
                out = np.lib.format.open_memmap(scratch / "vectors.npy", "w+", np.float32, shape)
            out[places] = vector

    for page in cache.pages():
        put(page)
    for page in describe([clips[places[0]] for places in rows.values()]):
        cache.add(page)
        put(page)
    assert out is not None
    return out
