"""AdamW as vision transformers are trained with it: no decay on vectors, slower early layers, warm-up and cosine."""

import math

from torch import nn
from torch.optim import AdamW


def layer_of(name: str, depth: int) -> int:
    """Which layer a parameter belongs to: 0 for the embedding, 1 to `depth` for the blocks, then the rest."""
    name = name.removeprefix("module.")
    if name.startswith("encoder.embed."):
        return 0
    if name.startswith("encoder.blocks."):
        return int(name.split(".")[2]) + 1
    return depth + 1


def make_optimiser(
    model: nn.Module, depth: int, betas: tuple[float, float], weight_decay: float, layer_decay: float
) -> AdamW:
    """AdamW over the parameters that train; each group has a `scale` by which `set_rate` multiplies the rate.

    Args:
        model: A `MaskedAutoencoder` or `Classifier`.
        depth: Blocks of its encoder.
        betas: AdamW's.
        weight_decay: For matrices; norms, biases and the mask token have none.
        layer_decay: Factor of the rate from each layer to the one before it.
    """
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((layer_of(name, depth), parameter.dim() > 1), []).append(parameter)
    return AdamW(
        [
            {
                "params": parameters,
                "weight_decay": weight_decay if matrix else 0.0,
                "scale": layer_decay ** (depth + 1 - layer),
            }
            for (layer, matrix), parameters in sorted(groups.items(), key=lambda item: item[0])
        ],
        lr=0.0,
        betas=betas,
        fused=True,  # one kernel for all weights, on CPUs as on GPUs
    )


def rate(step: int, steps: int, warmup: int, highest: float) -> float:
    """The learning rate of a step: a straight rise over the warm-up, then half a cosine to zero.

    Args:
        step: From 0.
        steps: All steps.
        warmup: Steps of the warm-up; the first one after it has the highest rate.
        highest: The maximum.
    """
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    return highest * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2


def set_rate(optimiser: AdamW, value: float) -> None:
    """Sets the rate of every group to its share of `value`."""
    for group in optimiser.param_groups:
        group["lr"] = value * group["scale"]
