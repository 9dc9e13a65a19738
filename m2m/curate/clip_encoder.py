"""LLaVA's image encoder: CLIP ViT-L/14 at 336 pixels, by timm, with the user's own copy of the weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from m2m.curate.params import CurateParams
from m2m.errors import InfrastructureError, InputError
from m2m.files import file_sha256


class ClipEncoder:
    """What LLaVA-1.5 sees of a picture (Liu et al., 2023): the patches after the last block but one, averaged.

    The short side is resized to the network's, the middle is cut out. The label is not looked at.

    Args:
        params: `model`, `weights`, `device` and `batch`.

    Raises:
        InputError: There is no such model, the weights are not there or are another network's, or there is no such
            device.
        InfrastructureError: timm is not installed.
    """

    size: tuple[int, int] | None = None

    def __init__(self, params: CurateParams) -> None:
        try:
            import timm
            import torch
            from timm.models.vision_transformer import checkpoint_filter_fn
        except ImportError as error:
            raise InfrastructureError(f"curate.encoder: clip needs {error.name}", "pip install 'm2m[train]'") from error
        self.batch = params.batch
        weights = Path(params.weights) if params.weights else cached_weights(params.model)
        if not weights.is_file():
            raise InputError(f"there are no weights at {weights}", "name their file with curate.weights")
        auto = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._device = torch.device(auto if params.device == "auto" else params.device)
            net: Any = timm.create_model(params.model, num_classes=0)
            if not isinstance(net, timm.models.VisionTransformer):
                raise RuntimeError("it is no vision transformer")
            # timm's own loading lets missing weights pass with a warning.
            state = checkpoint_filter_fn(timm.models.load_state_dict(str(weights), weights_only=True), net)
            absent = net.load_state_dict(state, strict=False).missing_keys
            if absent:
                raise RuntimeError(f"it has no {absent[0]} ({len(absent)} such tensors)")
            self._net: Any = net.eval().requires_grad_(False).to(self._device)
        except Exception as error:  # whatever a file of other bytes makes pickle, safetensors and torch raise
            why = " ".join(str(error).split())[:200]
            raise InputError(f"{weights} cannot be used as {params.model} on {params.device}: {why}") from error
        config = timm.data.resolve_model_data_config(self._net)
        self._side = int(config["input_size"][-1])
        self._mean, self._std = (np.array(config[key], np.float32) for key in ("mean", "std"))
        self._layer = len(self._net.blocks) - 2
        self.name = f"clip-1 {params.model} {file_sha256(weights)[:16]}"

    def __call__(self, frames: Sequence[np.ndarray], labels: Sequence[str]) -> np.ndarray:  # noqa: ARG002
        """The vectors of frames, (n, d) float32; d is 1024 for ViT-L."""
        import torch

        pixels = np.stack([(self._cut(frame) / np.float32(255) - self._mean) / self._std for frame in frames])
        with torch.inference_mode():
            inputs = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).to(self._device)
            (patches,) = self._net.forward_intermediates(
                inputs, indices=[self._layer], norm=False, output_fmt="NLC", intermediates_only=True
            )
            return patches.float().mean(dim=1).cpu().numpy()

    def _cut(self, frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        scale = self._side / min(height, width)
        size = (max(self._side, round(width * scale)), max(self._side, round(height * scale)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        left, top = (size[0] - self._side) // 2, (size[1] - self._side) // 2
        return frame[top : top + self._side, left : left + self._side]


def cached_weights(model: str) -> Path:
    """The weights of a model in the user's cache of the Hugging Face hub; nothing is downloaded.

    Raises:
        InputError: timm has no such model, or the cache does not have it.
    """
    from huggingface_hub import try_to_load_from_cache
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(model) if model else None
    if config is None or not config.hf_hub_id:
        raise InputError(f"timm has no weights for {model!r}", "name their file with curate.weights")
    repository = config.hf_hub_id if not config.hf_hub_id.endswith("/") else f"{config.hf_hub_id}{model}"
    for name in ("open_clip_model.safetensors", "model.safetensors", "pytorch_model.bin"):
        found = try_to_load_from_cache(repository, name)
        if isinstance(found, str):
            return Path(found)
    raise InputError(
        f"the weights of {model} are not in this machine's cache of the Hugging Face hub",
        f"fetch them once with `hf download {repository}`, or name their file with curate.weights; "
        "curate.encoder: embedded needs none",
    )
