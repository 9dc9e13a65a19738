"""Networks in ONNX's or TensorFlow's format, run by OpenVINO on a CPU."""

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from m2m.errors import InfrastructureError

OPENVINO = "openvino==2026.4.1"


def load_openvino() -> Any:
    """The library, slow to import.

    It tells its makers of every import where openvino-telemetry is installed. Nothing here may: that package is not
    among ours, and where another one brought it, it is hidden for the import.

    Raises:
        InfrastructureError: It is not installed.
    """
    hidden = "openvino_telemetry"
    kept = sys.modules.get(hidden)
    sys.modules[hidden] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        raise InfrastructureError(
            f"openvino cannot be used: {error}", f"run `make setup`, or `pip install --no-deps {OPENVINO}`"
        ) from error
    finally:
        if kept is None:
            del sys.modules[hidden]
        else:
            sys.modules[hidden] = kept
    return openvino


KEPT = 2
"""Sizes of input for which a network stays compiled: whole frames, and the painted part of plates."""


class _SignalStack(ctypes.Structure):
    """`stack_t` of Linux, see sigaltstack(2)."""

    _fields_ = (("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def own_signal_stack() -> Iterator[None]:
    """Gives the thread back the stack on which its signals are handled.

    OpenVINO puts another one in its place when it compiles a network, and frees it with the network: when networks go
    in another order than they came, the next signal (Ctrl-C, the end of a child) kills the process.
    """
    if sys.platform != "linux":
        yield
        return
    libc, own = ctypes.CDLL(None, use_errno=True), _SignalStack()
    known = libc.sigaltstack(None, ctypes.byref(own)) == 0
    try:
        yield
    finally:
        if known:
            libc.sigaltstack(ctypes.byref(own), None)


class VinoModel:
    """A network with one image as input, in float32 also where the processor would rather count in bfloat16.

    Sizes of its input may change from call to call; compiled networks of the last two are kept. No two threads at once.

    Args:
        path: An .onnx file or a frozen TensorFlow graph.
        outputs: Names of the tensors that are wanted.
        threads: Threads of the kernels; fixed by the parameters, never by the machine.

    Raises:
        InfrastructureError: OpenVINO is not installed.
    """

    def __init__(self, path: Path, outputs: Sequence[str], threads: int) -> None:
        self._core = load_openvino().Core()
        self._model = self._core.read_model(str(path))
        self._wanted = tuple(outputs)
        self._options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # several processes would share one processor
        }
        self._requests: dict[tuple[int, ...], Any] = {}

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        """Runs the network.

        Args:
            image: float32 with a batch axis, in the network's own layout and scale.

        Returns:
            The outputs in the order of their names, with their batch axes.
        """
        request = self._requests.pop(image.shape, None) or self._compiled(image.shape)
        self._requests[image.shape] = request  # the last one used is the last one to go
        request.infer([image])
        return [np.array(request.get_tensor(name).data) for name in self._wanted]

    def _compiled(self, shape: tuple[int, ...]) -> Any:
        if len(self._requests) >= KEPT:
            del self._requests[next(iter(self._requests))]
        self._model.reshape(shape)
        with own_signal_stack():
            return self._core.compile_model(self._model, "CPU", self._options).create_infer_request()
