"""One trunk that learns the labels of two data sets at once, a head each, as PPMA's alignment does (arXiv 2311.06231).

The scores of both heads stand side by side, and the second data set's classes are counted on from the first's. A
sample's loss looks at its own head alone.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from m2m.errors import M2MError
from m2m.train.batches import Sample, Samples


class JointSamples:
    """The samples of two data sets as those of one.

    Batches are drawn from the clips of both together: on average each data set has its share of the clips.

    Args:
        first: Samples of one data set.
        second: Samples of another, as many of a clip and taken in the same way.
        classes: Classes of the first; labels of the second are counted on from there.
    """

    def __init__(self, first: Samples, second: Samples, classes: int) -> None:
        self._parts, self._classes = (first, second), classes
        self.samples, self.params = first.samples, first.params

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def name(self, index: int) -> str:
        """The id of a clip of either."""
        first, second = self._parts
        return first.name(index) if index < len(first) else second.name(index - len(first))

    def __getitem__(self, key: tuple[int, int]) -> list[Sample] | M2MError:
        epoch, index = key
        first, second = self._parts
        if index < len(first):
            return first[epoch, index]
        found = second[epoch, index - len(first)]
        if isinstance(found, M2MError):
            return found
        return [{**sample, "label": np.int64(sample["label"] + self._classes)} for sample in found]


def losses(scores: Tensor, label: Tensor, smoothing: float, heads: tuple[int, ...] = ()) -> Tensor:
    """Cross-entropy of each sample among the classes of its own head.

    Args:
        scores: (B, classes of all heads).
        label: (B,) counted over the heads.
        smoothing: Share of the label spread over all classes of the head.
        heads: Classes of each of two heads; empty: there is one.

    Returns:
        (B,) losses.
    """
    if not heads:
        return functional.cross_entropy(scores, label, label_smoothing=smoothing, reduction="none")
    own = label < heads[0]
    of_first = losses(scores[:, : heads[0]], torch.where(own, label, 0), smoothing)
    return torch.where(own, of_first, losses(scores[:, heads[0] :], torch.where(own, 0, label - heads[0]), smoothing))


def hits(scores: Tensor, label: Tensor, heads: tuple[int, ...] = ()) -> Tensor:
    """Whether the highest score of a sample's own head is its label's, (B,) of 0 and 1; arguments as in `losses`."""
    if not heads:
        return (scores.argmax(1) == label).float()
    of_first, of_second = scores[:, : heads[0]].argmax(1), scores[:, heads[0] :].argmax(1) + heads[0]
    return (torch.where(label < heads[0], of_first, of_second) == label).float()
