"""Scores of a classifier: top-k with its interval, by class, and what was taken for what."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """A share of `n` with its 95 % interval (Wilson 1927).

    Attributes:
        value: correct / n.
        correct: How many.
        n: Of how many.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    correct: int
    n: int
    low: float
    high: float


def share(correct: int, n: int) -> Share:
    """A share with its interval.

    Raises:
        ValueError: `n` is less than 1, or `correct` not within it.
    """
    if not 0 <= correct <= n or n < 1:
        raise ValueError(f"{correct} of {n} is no share")
    p, z = correct / n, NORMAL_95
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Share(p, correct, n, max(0.0, middle - half), min(1.0, middle + half))


def top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> int:
    """How many labels are among the `k` highest scores; of equal scores the wrong ones count as higher.

    Args:
        scores: (N, C).
        labels: (N,) numbers of classes.
        k: At most C; more is taken as C.
    """
    own = scores[np.arange(len(labels)), labels][:, None]
    return int(((scores >= own).sum(1) - 1 < k).sum())


def summary(scores: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> dict[str, Any]:
    """Everything that is reported of one test.

    Args:
        scores: (N, C).
        labels: (N,) numbers of classes.
        classes: Names of the C classes.

    Returns:
        `top1` and `top5` as `Share` mappings (`top5` with the `k` that was possible), `per_class` rows, and
        `confusion`: counts by true class (rows) and predicted class (columns).
    """
    n, k = len(labels), min(5, len(classes))
    predicted = scores.argmax(1)
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (labels, predicted), 1)
    per_class = [
        {"label": label, **asdict(share(int(row[i]), int(row.sum())))}
        for i, (label, row) in enumerate(zip(classes, confusion, strict=True))
        if row.sum()
    ]
    return {
        "top1": asdict(share(int((predicted == labels).sum()), n)),
        "top5": {**asdict(share(top_k(scores, labels, k), n)), "k": k},
        "per_class": per_class,
        "confusion": confusion.tolist(),
    }
