"""The classifiers that alignment and evaluation train, by their kind. Each has a trunk, `encoder`, and a `head`."""

import torch
from torch import Tensor, nn

from m2m.train.params import ModelParams
from m2m.train.videomae import Classifier, even_odds


class Baseline(nn.Module):
    """A trunk of another kind and a linear head.

    Args:
        encoder: From clips (B, 3, T, H, W) in [0, 1] to features (B, width).
        width: Of the features.
        classes: Classes of the head.
        also: Classes of a second head, as in `Classifier`.
    """

    def __init__(self, encoder: nn.Module, width: int, classes: int, also: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = even_odds(nn.Linear(width, classes))
        self.also = even_odds(nn.Linear(width, also)) if also else None

    def features(self, clips: Tensor) -> Tensor:
        """What the trunk makes of clips (B, 3, T, H, W) in [0, 1]: (B, width)."""
        return self.encoder(clips)

    def forward(self, clips: Tensor) -> Tensor:
        """Scores (B, classes) of clips (B, 3, T, H, W) in [0, 1], or of the trunk's features (B, width) of them."""
        features = clips if clips.dim() == 2 else self.features(clips)
        scores = self.head(features)
        return torch.cat([scores, self.also(features)], 1) if self.also and self.training else scores


def make_classifier(model: ModelParams, classes: int, drop_path: float = 0.0, also: int = 0) -> nn.Module:
    """A fresh classifier of the kind that `model` names.

    Args:
        model: Kind and size.
        classes: Classes of the head.
        drop_path: Of transformers: highest probability of leaving out a block's branch.
        also: Classes of a second head, as in `Classifier`.

    Raises:
        InfrastructureError: A package that this kind needs is missing.
    """
    if model.kind == "timesformer":
        from m2m.train.timesformer import TimesformerEncoder

        return Baseline(TimesformerEncoder(model, drop_path), model.width, classes, also)
    if model.kind in ("tsn", "i3d"):
        from m2m.train.resnets import ResNetEncoder

        return Baseline(ResNetEncoder(model), 2048, classes, also)
    return Classifier(model, classes, drop_path, also)
