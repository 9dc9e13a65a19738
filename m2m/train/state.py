"""What a checkpoint to resume from holds, and the model with the average of its weights."""

from dataclasses import dataclass, field
from typing import Any

from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.optim import AdamW

from m2m.errors import InputError

Row = dict[str, float]
"""Figures of one epoch by name."""


@dataclass
class Progress:
    """How far a training is. The rate, the order of clips and all that is random follow from it.

    Attributes:
        history: Rows of the epochs that are done.
        step: Steps done of the next one.
        totals: Sums over the samples of these steps and over all processes by name, float64.
        seconds: Time that they took.
    """

    history: list[Row] = field(default_factory=list)
    step: int = 0
    totals: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class Learner:
    """A model that trains.

    Attributes:
        model: The model.
        optimiser: Of its parameters.
        average: Moving average of its weights, or None.
    """

    model: nn.Module
    optimiser: AdamW
    average: ModelEmaV3 | None = None

    @property
    def result(self) -> nn.Module:
        """The model to validate, to test and to hand on."""
        return self.model if self.average is None else self.average.module

    def train(self) -> None:
        """Makes the model ready for steps. What does not train computes as in evaluation."""
        self.model.train()
        for module in self.model.modules():
            parameters = list(module.parameters())
            if parameters and not any(p.requires_grad for p in parameters):
                module.eval()

    def update(self, clip: float, step: int) -> Tensor:
        """Makes a step with the gradients at hand.

        Args:
            clip: Greatest norm of the gradient, or 0.
            step: From 0 at the beginning of the training.

        Returns:
            The gradient's norm before it is clipped, ().
        """
        trained = [p for p in self.model.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in trained if p.grad is not None])
        if clip:
            nn.utils.clip_grads_with_norm_(trained, clip, norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.model, step + 1)
        return norm

    def state(self, progress: Progress) -> dict[str, Any]:
        """Everything to go on from, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": None if self.average is None else self.average.module.state_dict(),
            "history": progress.history,
            "step": progress.step,
            "totals": progress.totals,
            "seconds": progress.seconds,
        }

    def restore(self, state: dict[str, Any]) -> Progress:
        """Goes back to a state.

        Raises:
            InputError: It does not fit the model: other versions of PyTorch or timm wrote it.
        """
        try:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            if self.average is not None:
                self.average.module.load_state_dict(state["average"])
            return Progress(list(state["history"]), state["step"], dict(state["totals"]), state["seconds"])
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = " ".join(str(error).split())[:300]
            raise InputError(
                f"the checkpoint to resume from does not fit the model: {why}",
                "go on with the versions of PyTorch and timm that wrote it, or delete it",
            ) from error


def averaged(model: nn.Module, decay: float) -> ModelEmaV3 | None:
    """A moving average of a model's weights, on its device; None without decay.

    In the first steps the decay is less, 1 - (1 + step) ** -2/3: an average of few steps does not remember the start.
    """
    return ModelEmaV3(model, decay, use_warmup=True) if decay else None
