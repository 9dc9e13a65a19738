"""Batches: which clips come when, and the samples made of them.

Everything random about a sample depends on the seed, the epoch and the clip alone. So batches are the same for any
number of processes and loader workers, and a training that goes on after a loss needs to know nothing but the epoch.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from m2m.clips import Clip
from m2m.errors import InputError, M2MError
from m2m.train.augmentations import erase, rand_augment
from m2m.train.clips import LabelledSet
from m2m.train.frames import Frames
from m2m.train.masks import split_tokens
from m2m.train.mixtures import Mixing, draw
from m2m.train.params import InputParams, ModelParams
from m2m.train.sampling import cut, frame_indices, random_box, random_colours, view_boxes
from m2m.train.sigterm import apart

Sample = dict[str, Any]
"""Arrays and numbers by name."""

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Masking:
    """How tokens are hidden: `kind` and `ratio` as in `PretrainParams`."""

    kind: str
    ratio: float


@dataclass(frozen=True)
class Plan:
    """The order of one epoch.

    Attributes:
        steps: For every step, the clips of this process in chunks that fit into memory, by their numbers.
        totals: Clips of every step over all processes.
    """

    steps: tuple[tuple[tuple[int, ...], ...], ...]
    totals: tuple[int, ...]


def plan(n: int, batch: int, chunk: int, seed: int, epoch: int, rank: int = 0, count: int = 1) -> Plan:
    """Deals the clips of an epoch to steps and processes.

    The order is drawn anew every epoch. Clips left over at its end wait for another epoch, unless there is no full
    batch at all. Pairs of neighbours, which mixup mixes, stay together where each process gets one and chunks hold two.

    Args:
        n: Clips.
        batch: Clips a step, over all processes.
        chunk: Most clips at once in one process; 0: no limit.
        seed: Same seed, same order.
        epoch: From 0.
        rank: Number of this process.
        count: Processes.

    Raises:
        InputError: A process would have nothing to do in a step.
    """
    batch = min(batch, n)
    if batch < count:
        raise InputError(f"a batch of {batch} clips cannot be shared by {count} processes", "use fewer processes")
    order = np.random.default_rng([seed, epoch]).permutation(n)
    together = 2 if batch >= 2 * count else 1
    own = np.arange(batch) // together % count == rank
    steps = [order[i : i + batch][own] for i in range(0, n - batch + 1, batch)]
    chunk = chunk - chunk % together if chunk > 1 else chunk or batch
    chunks = tuple(tuple(tuple(map(int, s[i : i + chunk])) for i in range(0, len(s), chunk)) for s in steps)
    return Plan(chunks, (batch,) * len(steps))


class Samples(Protocol):
    """What a training learns from; an item is named by (epoch, clip).

    Attributes:
        samples: Samples of an item.
        params: How they are taken.
    """

    samples: int
    params: InputParams

    def name(self, index: int) -> str:
        """The id of a clip."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: tuple[int, int]) -> list[Sample] | M2MError: ...


class RandomSamples(Dataset):
    """Random samples; an item is named by (epoch, clip) and holds `samples` of them.

    Args:
        data: The data set; its training clips are used.
        model: Frames and size of a sample.
        params: How samples are taken.
        seed: Same seed, same samples.
        samples: Samples taken from a clip once decoded.
        masking: How tokens are hidden; None: no masks.
        mixing: How samples are mixed with others; None, or its numbers 0: not at all.
    """

    def __init__(
        self,
        data: LabelledSet,
        model: ModelParams,
        params: InputParams,
        seed: int,
        samples: int = 1,
        masking: Masking | None = None,
        mixing: Mixing | None = None,
    ) -> None:
        self.data, self.model, self.params = data, model, params
        self.seed, self.samples, self.masking, self.mixing = seed, samples, masking, mixing
        self._frames = Frames(data, data.train, model, params)

    def __len__(self) -> int:
        return len(self.data.train)

    def name(self, index: int) -> str:
        """The id of a clip."""
        return self.data.train[index].clip_id

    def __getitem__(self, key: tuple[int, int]) -> list[Sample] | M2MError:
        epoch, index = key
        try:
            rng = np.random.default_rng([self.seed, epoch, index, 1])
            return self._draw(index, rng)
        except M2MError as error:  # a worker's exception would arrive as text
            return error

    def _draw(self, index: int, rng: np.random.Generator) -> list[Sample]:
        clip, params = self.data.train[index], self.params
        fps = clip.fps_num / clip.fps_den
        seconds = params.window(self.model.frames, fps)
        shown = [
            frame_indices(clip.n_frames, fps, self.model.frames, seconds, *rng.uniform(size=2))
            for _ in range(self.samples)
        ]
        pictures = self._frames.take(index, np.concatenate(shown))
        number = np.int64(self.data.number(clip))
        return [self._sample([pictures[i] for i in indices], rng) | {"label": number} for indices in shown]

    def _sample(self, frames: list[np.ndarray], rng: np.random.Generator) -> Sample:
        params, size = self.params, self.model.size
        box = random_box(frames[0].shape[:2], size, params, rng)
        mirror = bool(params.flip and rng.uniform() < 0.5)
        clip = cut(frames, box, size, mirror)
        if params.randaugment:
            clip = rand_augment(clip, params.randaugment, rng)
        if params.erase and rng.uniform() < params.erase:
            clip = erase(clip, rng)
        sample = {"clip": clip, "colours": random_colours(params.jitter, rng)}
        if self.masking is not None:
            visible, hidden = split_tokens(self.model.grid, self.masking.ratio, self.masking.kind, rng)
            sample |= {"visible": visible, "hidden": hidden}
        if self.mixing is not None and (self.mixing.mixup or self.mixing.cutmix):
            sample["mixture"] = draw(self.mixing, size, rng)
        return sample


class Views(Dataset):
    """Views of the clips to test on: evenly spread in time and across the frame; an item is all views of a clip.

    Args:
        data: The data set; its validation clips are used.
        model: Frames and size of a sample.
        params: How samples are taken.
        views: Windows in time, crops across.
    """

    def __init__(self, data: LabelledSet, model: ModelParams, params: InputParams, views: tuple[int, int]) -> None:
        self.data, self.model, self.params, self.views = data, model, params, views
        self._frames = Frames(data, data.val, model, params)

    def reduced(self, views: tuple[int, int]) -> "Views":
        """The same clips with other views; nothing is decoded anew."""
        other = copy(self)
        other.views = views
        return other

    def __len__(self) -> int:
        return len(self.data.val)

    def __getitem__(self, index: int) -> list[Sample] | M2MError:
        try:
            return self._look(index)
        except M2MError as error:
            return error

    def _look(self, index: int) -> list[Sample]:
        clip, size = self.data.val[index], self.model.size
        # A clip too short for different windows has fewer views, not the same one twice.
        windows = {tuple(self._window(clip, k)): None for k in range(self.views[0])}
        pictures = self._frames.take(index, np.concatenate(list(windows)))
        samples = []
        for indices in windows:
            frames = [pictures[i] for i in indices]
            for box in view_boxes(frames[0].shape[:2], size, self.views[1]):
                view = cut(frames, box, size, False)
                samples.append({"clip": view, "label": np.int64(self.data.number(clip)), "index": np.int64(index)})
        return samples

    def _window(self, clip: Clip, k: int) -> np.ndarray:
        n, fps, views = clip.n_frames, clip.fps_num / clip.fps_den, self.views[0]
        seconds = self.params.window(self.model.frames, fps)
        if not seconds or seconds * fps >= n:  # one window: the views lie between each other
            return frame_indices(n, fps, self.model.frames, 0, 0, (k + 0.5) / views)
        start = k / (views - 1) if views > 1 else 0.5
        return frame_indices(n, fps, self.model.frames, seconds, start, 0.5)


def load(data: Samples | Dataset, keys: Sequence[Sequence[Any]], workers: int, pin: bool) -> Iterator[Batch]:
    """Batches of items, in order.

    Args:
        data: `Samples` or `Views`.
        keys: The items of every batch.
        workers: Processes that decode ahead; 0: this one.
        pin: Pin memory for a GPU.

    Yields:
        Tensors by name, stacked; clips are (B, T, H, W, 3) uint8.

    Raises:
        InputError: A clip cannot be decoded.
    """
    if workers:  # they stand side by side; and OpenCV's threads do not outlive a fork, whose child would wait for them
        cv2.setNumThreads(1)
    loader: DataLoader[Any] = DataLoader(
        data,  # type: ignore[arg-type]  # it asks for items by name and nothing else
        batch_sampler=[list(k) for k in keys],
        num_workers=workers,
        collate_fn=_stack,
        pin_memory=pin,
        worker_init_fn=apart,
    )
    for batch in loader:
        if isinstance(batch, M2MError):
            raise batch
        yield batch


def _stack(items: list[list[Sample] | M2MError]) -> Batch | M2MError:
    samples: list[Sample] = []
    for item in items:
        if isinstance(item, M2MError):
            return item
        samples += item
    return {name: torch.from_numpy(np.stack([s[name] for s in samples])) for name in samples[0]}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """A batch on a device, its clips, if any, as (B, 3, T, H, W) float32 in [0, 1] with their colours changed."""
    out = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
    if "clip" not in out:
        return out
    clip = out["clip"].float() / 255
    if "colours" in out:
        colours = out.pop("colours")
        clip = torch.einsum("bthwc,bdc->bthwd", clip, colours[..., :3]) + colours[:, None, None, None, :, 3]
        clip = clip.clamp(0, 1)
    out["clip"] = clip.permute(0, 4, 1, 2, 3)
    return out
