"""OSX's network: crops of people to SMPL-X poses and places, many at a time."""

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from m2m.augment.checkpoint import load_strict, read_pytorch
from m2m.augment.devices import halving, pick_device
from m2m.augment.recover.osx.checkout import build_network, cuda_is
from m2m.augment.recover.osx.estimate import Estimate
from m2m.augment.recover.params import OSXParams
from m2m.errors import InputError
from m2m.weights import find_weight

log = logging.getLogger(__name__)
SEED = 0
OWN = "OSX's large model is osx_l.pth.tar; set recover.osx.weights to it"
NEVER_READ = ("smplx_layer.", "hand_decoder.backbone.", "face_decoder.backbone.")
"""Parts of a checkpoint that OSX builds and never calls: the body model, and two encoders beside its own."""
RENAMED = (
    ("body_rotation_net.", "body_regressor."),
    ("hand_rotation_net.", "hand_regressor."),
    ("backbone.", "encoder."),
)
"""Parts that were called otherwise when the checkpoints were made, as OSX's own loader has it."""


class OSXNetwork:
    """The network of OSX's checkout with a checkpoint.

    Args:
        params: Which checkpoint, and how it is run.

    Raises:
        InputError: The checkout is at another commit, or the checkpoint is not osx_l.
        InfrastructureError: Checkout, checkpoint or device are not there.
    """

    def __init__(self, params: OSXParams) -> None:
        self._device = pick_device(params.device)
        self._half = params.half and self._device.type == "cuda"
        self._batch = params.batch
        file = None if params.weights == "random" else find_weight("osx_l", params.weights)
        with torch.random.fork_rng(devices=[]), _quiet():
            torch.manual_seed(SEED)
            network = build_network()
        if file is None:
            log.warning("recover.osx.weights is random: the bodies mean nothing")
        else:
            load(network, file)
        self._network = network.to(self._device)

    def estimate(self, crops: Iterable[np.ndarray]) -> list[Estimate]:
        """An estimate for every crop; each is what it would be alone, but for rounding.

        Raises:
            InfrastructureError: A GPU's memory is too short for one.
        """
        rest, done = iter(crops), []
        while batch := list(islice(rest, self._batch)):
            done += halving(self._look, batch)
        return done

    def _look(self, crops: Sequence[np.ndarray]) -> list[Estimate]:
        count = len(crops)
        # Of three OSX would cross the rotations of different people: its torch.cross takes the first axis of size 3.
        batch = [*crops, crops[-1]] if count == 3 else crops
        images = torch.from_numpy(np.stack(batch)).to(self._device).permute(0, 3, 1, 2) / 255
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            stack.enter_context(cuda_is(self._device))
            stack.enter_context(_quiet())
            if self._device.type == "cuda":
                stack.enter_context(torch.backends.cudnn.flags(benchmark=False, deterministic=True))
            stack.enter_context(torch.autocast(self._device.type, torch.float16, self._half))
            out = self._network({"img": images}, {}, {}, "test")
        eyes = images.new_zeros(len(batch), 6)
        parts = [out[f"smplx_{name}_pose"] for name in ("root", "body", "jaw")]
        hands = [out[f"smplx_{name}_pose"] for name in ("lhand", "rhand")]
        poses = torch.cat([part.float() for part in (*parts, eyes, *hands)], 1).reshape(len(batch), 55, 3)
        told = (poses, out["smplx_shape"].float(), out["cam_trans"].float())
        pose, betas, place = (values.cpu().numpy() for values in told)
        return [Estimate(pose[i], betas[i], place[i]) for i in range(count)]


def load(network: nn.Module, file: Path) -> None:
    """Loads a checkpoint as OSX's authors release it.

    Raises:
        InputError: It cannot be read, or its parameters are not the network's.
    """
    stored = read_pytorch(file)
    state = stored.get("network") if isinstance(stored, Mapping) else None
    if not isinstance(state, Mapping):
        raise InputError(f"{file} is not a checkpoint of OSX: it has no `network`", OWN)
    load_strict(network, parameters(state), file, OWN)


def parameters(state: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint's parameters by the names that the network has now, without those that are never read."""
    out = {}
    for key, value in state.items():
        name = key.removeprefix("module.")
        for old, new in RENAMED:
            if name.startswith(old):
                name = new + name.removeprefix(old)
        if not name.startswith(NEVER_READ):
            out[name] = value
    return out


def _quiet() -> warnings.catch_warnings:
    """Without the warnings of OSX's code about itself: calls of PyTorch that are to change."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)
