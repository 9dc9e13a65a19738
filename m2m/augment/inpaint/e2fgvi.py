"""E2FGVI, the paper's inpainting network (Li et al., CVPR 2022), called in a checkout of its authors' code.

Code and weights are CC BY-NC 4.0.
"""

import importlib
import logging
import sys
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from m2m.augment.devices import pick_device
from m2m.augment.inpaint.params import E2FGVIParams
from m2m.errors import InfrastructureError, InputError
from m2m.upstream import find_upstream
from m2m.weights import find_weight

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

MODULES = {"e2fgvi": "e2fgvi", "e2fgvi-hq": "e2fgvi_hq"}
SIZE = (432, 240)
"""Width and height for which the base model's transformer is built."""
TILE = (60, 108)
"""Height and width whose multiples the network works at: a window of its attention has 5x9 tokens of 3x3 features of
4x4 pixels."""
RANDOM = "random"
OWN = "E2FGVI-CVPR22.pth belongs to e2fgvi, E2FGVI-HQ-CVPR22.pth to e2fgvi-hq"


class E2FGVI:
    """The network, as `m2m.augment.inpaint.neural.Network` describes it.

    Args:
        name: `e2fgvi` or `e2fgvi-hq`.
        params: Weights, device and precision.

    Raises:
        InputError: The checkpoint, the device or the checkout is not one that can be used.
        InfrastructureError: PyTorch, the checkout or the checkpoint is missing.
    """

    def __init__(self, name: str, params: E2FGVIParams) -> None:
        self._device = pick_device(params.device)
        checkout = find_upstream("e2fgvi")
        from m2m.augment.checkpoint import load_strict, read_pytorch

        file = None if params.weights == RANDOM else find_weight(name, params.weights)
        self._model = _build(name, checkout)
        if file is None:
            log.warning("%s has random weights: what it paints means nothing", name)
        else:
            load_strict(self._model, read_pytorch(file), file, OWN)
        self._model.to(self._device).eval()
        self._half = params.half and self._device.type == "cuda"

    def __call__(self, shown: np.ndarray, count: int) -> np.ndarray:
        """Fills the first `count` of some frames; see `Network`.

        Raises:
            InputError: The network gives no numbers.
        """
        import torch

        _, height, width, _ = shown.shape
        pad = ((0, 0), (0, -height % TILE[0]), (0, -width % TILE[1]), (0, 0))
        batch = np.pad(shown, pad, mode="symmetric")
        if count == 1:  # it needs two to tell motion from
            batch = np.concatenate([batch[:1], batch])
        x = torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))[None].to(self._device)
        filled = self._run(x, max(count, 2))
        if self._half and not torch.isfinite(filled).all():
            log.warning("half precision overflows: going on in single precision")
            self._half = False
            filled = self._run(x, max(count, 2))
        if not torch.isfinite(filled).all():
            raise InputError("E2FGVI's output is not finite", "check its weights")
        return filled[:count, :, :height, :width].permute(0, 2, 3, 1).cpu().numpy()

    def _run(self, x: "torch.Tensor", count: int) -> "torch.Tensor":
        """(1, F, 3, H, W) to the first `count` frames, (count, 3, H, W) float32."""
        import torch

        with torch.inference_mode(), torch.autocast(self._device.type, torch.float16, enabled=self._half):
            return self._model(x, count)[0][:count].float()


def _build(name: str, checkout: Path) -> Any:
    """The network without its weights: seeded random ones.

    Raises:
        InfrastructureError: torchvision is missing.
    """
    import torch

    try:
        from m2m.augment.inpaint.mmcv_standins import own_modules, standing_in
    except ImportError as error:
        raise InfrastructureError(f"{name} needs torchvision: {error}", "pip install torchvision") from error
    # Its package `model` has no __init__.py: any other package of that name on the path would come first.
    package = ModuleType("model")
    package.__path__ = [str(checkout / "model")]
    # What it says on its way concerns nobody: that SPyNet is loaded (it is not), and torch's plans with meshgrid.
    warnings.filterwarnings("ignore", message="torch.meshgrid", category=UserWarning)
    with own_modules("model"), standing_in(), torch.random.fork_rng(devices=[]), redirect_stdout(StringIO()):
        sys.modules["model"] = package
        torch.manual_seed(0)
        return importlib.import_module(f"model.{MODULES[name]}").InpaintGenerator()
