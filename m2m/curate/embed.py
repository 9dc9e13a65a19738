"""One vector a clip: one frame by seed, described by an encoder; what was described before comes from a cache."""

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from m2m import video
from m2m.clips import Clip
from m2m.curate.encoder import Encoder
from m2m.errors import InputError, QuarantineError
from m2m.fingerprints import fingerprint
from m2m.store import MissingError, Store

CODE_VERSION = "embed.1"
"""Part of the cache's address: raised when another frame is taken or read in another way."""

Vectors = dict[str, np.ndarray]
"""Vectors (d,) float32 by the sha256 of a clip and its label, as `vector_key` joins them."""


class VectorCache:
    """Vectors kept in a store. Pages are only ever added, so runs side by side do not disturb each other.

    Args:
        store: Where; None keeps nothing.
        encoder: Name of the encoder.
        seed: Seed of the frames.
    """

    def __init__(self, store: Store | None, encoder: str, seed: int) -> None:
        self._store = store
        self._prefix = f"embeddings/{fingerprint(CODE_VERSION, encoder, seed)}/"

    def load(self) -> Vectors:
        """All that is kept. A page that cannot be read is left out, and so its clips are described again."""
        found: Vectors = {}
        if self._store is None:
            return found
        for key in self._store.keys(self._prefix):
            try:
                with np.load(io.BytesIO(self._store.read(key)), allow_pickle=False) as page:
                    found.update(zip(page["keys"].tolist(), page["vectors"], strict=True))
            except (MissingError, BadZipFile, ValueError, KeyError, OSError, EOFError):
                continue
        return found

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


def frame_index(clip: Clip, seed: int) -> int:
    """The frame that stands for a clip: drawn by seed and content, so that it is the same in every data set."""
    return int(fingerprint("frame", seed, clip.sha256)[:16], 16) % clip.n_frames


def embed(clips: Iterable[tuple[Clip, Path]], encoder: Encoder, seed: int, workers: int = 1) -> Vectors:
    """Describes clips.

    Args:
        clips: Clips and their files.
        encoder: What describes a frame.
        seed: Seed of the frames.
        workers: Threads that decode.

    Raises:
        InputError: A clip has no such frame, or the encoder gives what is not finite.
    """

    def one(pair: tuple[Clip, Path]) -> tuple[str, np.ndarray]:
        clip, file = pair
        try:
            frame = video.picture(file, frame_index(clip, seed), encoder.size)
        except QuarantineError as error:
            raise InputError(f"clip {clip.clip_id}: {error.what}", "ingest the source again") from error
        vector = encoder(frame, clip.label).astype(np.float32)
        if not np.isfinite(vector).all():
            raise InputError(f"clip {clip.clip_id}: {encoder.name} gives values that are not finite")
        return vector_key(clip), vector

    with ThreadPoolExecutor(workers) as pool:
        return dict(pool.map(one, clips))
