"""Looks out for losses and gradients that are no longer numbers, without waiting for the GPU at every step."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from m2m.errors import InputError
from m2m.files import discard, write_atomic
from m2m.train.processes import Processes

BAD = "bad_batch.json"
EVERY = 16
"""Steps between looks on a GPU, where every look waits until all is computed."""


@dataclass(frozen=True)
class Noted:
    """One step of this process.

    Attributes:
        epoch: From 1.
        step: From 1.
        lr: Its rate.
        loss: This process's part of the step's mean loss, ().
        norm: Of the gradient of all processes, ().
        clips: Ids of this process's clips.
    """

    epoch: int
    step: int
    lr: float
    loss: Tensor
    norm: Tensor
    clips: tuple[str, ...]


class Watch:
    """The steps that were not looked at yet.

    Args:
        out: Folder of the results, where the batch of a bad step is noted.
        stage: What trains.
        processes: Who takes part.
    """

    def __init__(self, out: Path, stage: str, processes: Processes) -> None:
        self._file, self._stage, self._processes = out / BAD, stage, processes
        self._noted: list[Noted] = []
        if processes.first:
            discard(self._file)  # an earlier run's

    def note(self, step: Noted) -> None:
        """Remembers a step."""
        self._noted.append(step)

    def look(self, *, now: bool) -> None:
        """Looks at the steps that were noted, all processes together.

        Args:
            now: Do not wait until there are enough of them; the same in all processes.

        Raises:
            InputError: The loss or the gradient of one of them is not finite. `bad_batch.json` says which.
        """
        due = now or self._processes.device.type == "cpu" or len(self._noted) >= EVERY
        if not due or not self._noted:
            return
        values = torch.stack([torch.stack([n.loss.detach().double(), n.norm.double()]) for n in self._noted])
        good = values.isfinite().all(1).tolist()
        # The same number of steps was noted everywhere; the first that is bad anywhere is meant.
        bad = self._processes.any(*(not g for g in good))
        if any(bad):
            self._stop(self._noted[bad.index(True)])
        self._noted.clear()

    def _stop(self, step: Noted) -> None:
        parts = self._processes.gather((float(step.loss), step.clips))
        clips = [clip for _, ids in parts for clip in ids]
        loss = sum(part for part, _ in parts)
        norm = float(step.norm)
        if self._processes.first:
            report = {
                "stage": self._stage,
                "epoch": step.epoch,
                "step": step.step,
                "lr": step.lr,
                "loss": str(loss),  # JSON knows neither nan nor inf
                "grad_norm": str(norm),
                "clips": clips,
            }
            write_atomic(self._file, (json.dumps(report, indent=1) + "\n").encode())
        what = "loss" if not torch.tensor(loss).isfinite() else "gradient"
        value = loss if what == "loss" else norm
        raise InputError(
            f"the {what} of {self._stage} is {value} in epoch {step.epoch}, step {step.step}",
            f"look at the clips in {self._file}, lower lr or set clip_grad; the checkpoint before it is kept",
        )
