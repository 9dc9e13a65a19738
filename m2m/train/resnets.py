"""Convolutional baselines on torchvision's ResNet: one on every frame (TSN), and one inflated in time (I3D).

Wang et al. 2016 (arXiv 1608.00859) average the scores of frames spread over the clip; with a linear head that is the
score of the averaged features. Carreira and Zisserman 2017 (arXiv 1705.07750) inflate kernels in time; which ones, and
by how much, follows the I3D-R50 of Wang et al. 2018 (arXiv 1711.07971) as PyTorchVideo and SlowFast build it.
"""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from m2m.train.params import RESNETS, ModelParams
from m2m.train.videomae import MEAN, STD

STEM = 5
"""Frames that the first convolution sees."""

TIMES = ((3, 3), (3, 1), (3, 1), (1, 3))
"""Frames that the first convolution of a block sees, of even and odd blocks of each stage."""


class ResNetEncoder(nn.Module):
    """A ResNet on every frame, of whose features the mean is taken (`tsn`), or one that sees several frames (`i3d`).

    Args:
        model: `kind` says which, `depth` is the ResNet's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: ModelParams) -> None:
        super().__init__()
        self.net = ResNet(Bottleneck, list(RESNETS[model.depth]))
        self.net.fc = nn.Identity()
        self._inflated = model.kind == "i3d"
        if self._inflated:
            inflate(self.net)
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None, None], persistent=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Features (B, 2048) of clips (B, 3, T, H, W) in [0, 1]."""
        clips = (clips - self.mean) / self.std
        if self._inflated:
            return self.net(clips)
        frames = clips.transpose(1, 2)
        return self.net(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]).mean(1)


def inflate(net: ResNet) -> None:
    """Makes a ResNet of images one of videos, in place; the names of its weights stay. Kernels are drawn anew."""
    times = {"conv1": STEM}
    for number, pair in enumerate(TIMES, 1):
        for block in range(len(getattr(net, f"layer{number}"))):
            times[f"layer{number}.{block}.conv1"] = pair[block % 2]
    for name, module in list(net.named_modules()):
        parent, _, own = name.rpartition(".")
        if isinstance(module, nn.Conv2d):
            setattr(net.get_submodule(parent), own, _convolution(module, times.get(name, 1)))
        elif isinstance(module, nn.BatchNorm2d):
            setattr(net.get_submodule(parent), own, nn.BatchNorm3d(module.num_features))
    net.maxpool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
    net.layer1.append(nn.MaxPool3d((2, 1, 1), (2, 1, 1)))  # half the frames from here on
    net.avgpool = nn.AdaptiveAvgPool3d(1)


def _convolution(flat: nn.Conv2d, times: int) -> nn.Conv3d:
    (rows, columns), (down, across) = flat.kernel_size, flat.stride
    made = nn.Conv3d(
        flat.in_channels,
        flat.out_channels,
        (times, rows, columns),
        (1, down, across),
        (times // 2, rows // 2, columns // 2),
        bias=False,
    )
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made
