"""Many faults in one run of `m2m augment`, and what came of each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from unittest import mock

import numpy as np

from m2m import cli, video
from m2m.augment import dataset
from m2m.clips import MANIFEST, read_manifest
from m2m.studio import ClipSpec, draw_clip
from m2m.video import VideoParams, Writer
from tests.faults.augmenter import FaultyAugmenter, noted_of
from tests.faults.catalogue import FAULTS
from tests.faults.truth import Leak, leaks

SOURCE = VideoParams(crf=8, preset="fast")


@dataclass(frozen=True)
class Outcome:
    """What became of one clip with a fault.

    Attributes:
        base: The drawn clip.
        fault: The fault, a key of `FAULTS`.
        seed: Its seed.
        status: Of the manifest.
        reason: Of the manifest.
        leaks: What it shows of the original's people; empty if nothing was released.
        broken: What is wrong with its files, or empty.
    """

    base: str
    fault: str
    seed: int
    status: str
    reason: str
    leaks: tuple[Leak, ...] = ()
    broken: str = ""


def prepare(source: Path, bases: dict[str, ClipSpec], plan: Sequence[tuple[str, str, int]]) -> None:
    """Draws the clips and gives each a name for every fault it is to meet.

    Args:
        source: A new folder.
        bases: Clips by name.
        plan: Base, fault and seed.
    """
    originals = source.parent / "originals"
    originals.mkdir(parents=True)
    source.mkdir()
    for name, spec in bases.items():
        clip = draw_clip(spec)
        with Writer(originals / f"{name}.mp4", spec.size, spec.fps, SOURCE) as writer:
            for frame in clip.frames:
                writer.write(frame)
    for base, fault, seed in plan:
        os.link(originals / f"{base}.mp4", source / f"{base}--{fault}--{seed}.mp4")


def augment_with_faults(source: Path, out: Path, *options: str) -> int:
    """Runs the command line with the faults in; returns its exit code."""
    with mock.patch.object(dataset, "ClipAugmenter", FaultyAugmenter):
        return cli.main(["augment", str(source), str(out), *options])


def judge(out: Path, bases: dict[str, ClipSpec], size: tuple[int, int], ghosts: int = 1) -> list[Outcome]:
    """Compares what a run left with the truth.

    Args:
        out: Folder of the results.
        bases: Clips by name.
        size: Width and height of the results.
        ghosts: See `leaks`.
    """
    rows = read_manifest(out / MANIFEST)
    left = {p.stem for p in (out / "videos").iterdir()} - {r.clip_id for r in rows if r.status == "ok"}
    truth = lru_cache(2)(lambda base: _truth(bases[base], size))
    usual = {r.clip_id.split("--")[0]: r for r in rows if "--none--" in r.clip_id and r.status == "ok"}
    found = []
    for row in rows:
        base, fault, seed = row.clip_id.split("--")
        outcome = Outcome(base, fault, int(seed), row.status, row.reason)
        if row.clip_id in left:
            outcome = replace(outcome, broken="a video is there that the manifest does not release")
        if row.status == "ok":
            frames, plates, people = truth(base)
            released = _frames(out / row.path)
            without = None if fault == "none" or base not in usual else _frames(out / usual[base].path)
            if released.shape != frames.shape or row.n_frames != len(frames):
                outcome = replace(outcome, broken=f"{len(released)} frames of {len(frames)}")
            else:
                drawn, same = noted_of(out, row.clip_id, released.shape[1:3])
                outcome = replace(
                    outcome, leaks=tuple(leaks(released, drawn, same, frames, plates, people, without, ghosts))
                )
        found.append(outcome)
    return found


def _frames(path: Path) -> np.ndarray:
    return np.stack([frame.image for frame in video.read(path)])


def _truth(spec: ClipSpec, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, plates and people of a clip at the size of the results."""
    clip = draw_clip(spec)
    frames = np.stack([video.resize(frame, size) for frame in clip.frames])
    plates = np.stack([video.resize(plate, size) for plate in clip.plates])
    masks = [video.resize(mask.astype(np.uint8) * 255, size) > 127 for mask in clip.masks]
    return frames, plates, np.stack(masks)


def draw_plan(bases: Sequence[str], count: int, seed: int, kinds: Sequence[str] = ()) -> list[tuple[str, str, int]]:
    """So many faults by chance, the heavier the more often; every base once without any.

    Args:
        bases: Names of clips.
        count: How many.
        seed: Of the plan.
        kinds: Keys of `FAULTS`; empty: all.
    """
    rng = np.random.default_rng(seed)
    names = [name for name in kinds or FAULTS if name != "none"]
    weights = np.array([FAULTS[name].weight for name in names])
    drawn = rng.choice(len(names), max(0, count - len(names)), p=weights / weights.sum())
    kinds = [*names, *(names[i] for i in drawn)]
    plan = [(base, "none", 0) for base in bases]
    return plan + [(bases[i % len(bases)], kind, 1000 * seed + i) for i, kind in enumerate(kinds)]
