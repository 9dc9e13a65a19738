"""Faults of the machine under `m2m augment`: disks, codecs, memory. Models are toys, files and encoders are real.

A clip named `a--rename--3--28` meets errno 28 at the third rename of a file of its.
"""

import errno
import gzip
import os
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import av

from m2m.augment.chain import Chain
from m2m.augment.clip_files import preview_panes
from m2m.augment.compose import ComposeParams
from m2m.augment.dataset import ClipAugmenter
from m2m.augment.inpaint.region import RegionParams
from m2m.augment.steps import ChainParams
from m2m.augment.verify import VerifyParams
from m2m.augment.window import WindowParams
from m2m.video import Writer
from tests.faults.toy_chain import models

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT)


def _disk(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _codec(number: int) -> Exception:
    return av.FFmpegError(number, os.strerror(number))


PLACES = {
    "sync": (os, "fsync", _disk),
    "rename": (Path, "replace", _disk),
    "mux": (Writer, "_mux", _codec),
    "zip": (gzip.GzipFile, "write", _disk),
    "encode": (Writer, "write", lambda _: RuntimeError("the encoder failed")),
    "memory": (Writer, "write", lambda _: MemoryError("no memory for a frame")),
}
"""What fails, by name: where it is, its attribute, and what it raises for an errno."""

DISK = ("sync", "rename", "mux", "zip")
"""Those that are the disk's, which the next clip would meet too."""


@contextmanager
def failing(place: str, at: int, number: int):
    """Makes the call with the number `at` of a place fail, and all that follow."""
    if place == "none":
        yield
        return
    where, name, error = PLACES[place]
    real, calls = getattr(where, name), 0

    def call(*args, **options):
        nonlocal calls
        calls += 1
        if calls >= at:
            with args[0]._disk() if place == "mux" else nullcontext():
                raise error(number)
        return real(*args, **options)

    with mock.patch.object(where, name, call):
        yield


class ToyAugmenter(ClipAugmenter):
    """Augments clips with toy models, on a machine that fails as their names say while `armed` is there."""

    def __init__(self, params, out, with_originals=False):
        self.params, self.out = params, out
        self.panes = preview_panes(params.compose.variant, with_originals)
        steps = ChainParams(
            WindowParams(25, 12), RegionParams(outline="dilate"), ComposeParams("m2m"), VerifyParams(), False
        )
        self.chain = Chain(models(), steps)

    def __call__(self, job):
        _, place, at, number = job.clip.clip_id.split("--")
        armed = (self.out.parent / "armed").exists()
        with failing(place if armed else "none", int(at), int(number)):
            return super().__call__(job)
