"""What motion adds: the same classifier shown all frames of a clip, and one of them over and over."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from m2m.errors import InputError
from m2m.train.batches import Views
from m2m.train.checkpoints import NAME, read, read_trained
from m2m.train.clips import open_set
from m2m.train.models import make_classifier
from m2m.train.params import EvaluateParams, ModelParams
from m2m.train.processes import processes
from m2m.train.supervised import score_clips


@dataclass(frozen=True, eq=False)
class Gap:
    """Probabilities of clips by one frame and by all that the model takes.

    Attributes:
        classes: What the columns are.
        clips: Ids of the clips, the held-out ones of a data set.
        one: (M, C) by the middle frame, repeated.
        all: (M, C) by all frames.
    """

    classes: tuple[str, ...]
    clips: tuple[str, ...]
    one: np.ndarray
    all: np.ndarray


class _Still(nn.Module):
    """A classifier that sees only the middle frame of its input, as often as it wants frames."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, clips: Tensor) -> Tensor:
        middle = clips.shape[2] // 2
        return self.classifier(clips[:, :, middle : middle + 1].expand(clips.shape))


def frame_gap(dataset: Path, checkpoint: Path, params: EvaluateParams, model: ModelParams) -> Gap:
    """Shows a finished classifier the held-out clips of a data set, moving and still.

    Args:
        dataset: A working data set.
        checkpoint: What `evaluate` or `align` wrote: a model with a head.
        params: How clips are read; one view a clip.
        model: The size of the model.

    Raises:
        InputError: The data set has no held-out clip or cannot be read, or the checkpoint has no head or another size.
    """
    data = open_set(dataset)
    if not data.val:
        raise InputError(f"{dataset} has no clip to test on", "it needs clips of the split val or test")
    trained = read_trained(checkpoint, model)
    state = read(checkpoint / NAME if checkpoint.is_dir() else checkpoint)
    classes = tuple(str(name) for name in state.get("classes", ()))
    if not any(name.startswith("head.") for name in trained.weights) or not classes:
        raise InputError(f"{checkpoint} is not a classifier", "name what m2m evaluate or m2m align wrote")
    classifier = make_classifier(model, len(classes))
    classifier.load_state_dict({name: w for name, w in trained.weights.items() if not name.startswith("also.")})
    views = Views(data, model, params.ft.input, (1, 1))
    batch = params.micro_batch or params.ft.batch
    with processes(params.device, params.precision) as group:
        classifier.to(group.device)
        moving, _ = score_clips(classifier, views, batch, group)
        still, _ = score_clips(_Still(classifier), views, batch, group)
    return Gap(classes, tuple(c.clip_id for c in data.val), still, moving)
