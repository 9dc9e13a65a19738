"""The loop that all trainings share: epochs, accumulation, rates, checkpoints, progress."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from m2m.errors import InputError
from m2m.train.batches import Batch, Plan, RandomSamples, load, plan, to_device
from m2m.train.checkpoints import KEPT, Shelf
from m2m.train.optimiser import make_optimiser, rate, set_rate
from m2m.train.params import ModelParams
from m2m.train.processes import Processes


class Tracker(Protocol):
    """Where a training is written down. Its own failures are its own matter: it must not raise them."""

    def params(self, values: dict[str, Any]) -> None:
        """Notes parameters; sections are mappings."""

    def metrics(self, values: dict[str, float], step: int) -> None:
        """Notes figures after an epoch, counted from 1."""

    def artifact(self, path: Any) -> None:
        """Notes a file."""


Step = Callable[[nn.Module, Batch], dict[str, Tensor]]
"""From a model and a batch to values (B,) by name; `loss` is among them and is what is minimised."""

Row = dict[str, float]
"""Figures of one epoch by name."""


@dataclass(frozen=True)
class Recipe:
    """What the loop needs to know of a stage's parameters; fields as there."""

    stage: str
    epochs: int
    warmup: float
    batch: int
    micro_batch: int
    lr: float
    betas: tuple[float, float]
    weight_decay: float
    layer_decay: float
    seed: int
    checkpoint_every: int
    keep_every: int = 0


@dataclass
class Training:
    """One training, ready to run.

    Attributes:
        model: The model; parts of which nothing trains compute as in evaluation.
        size: Its size.
        data: Its samples.
        step: What is minimised.
        recipe: How.
        shelf: Where its checkpoints lie.
        processes: Who takes part.
        tracker: Where it is written down, or None.
        validate: Figures of the model on other clips, asked for after each `validate_every` epochs (0: never).
        validate_every: See `validate`.
        resumed: Epochs that an earlier run had done.
    """

    model: nn.Module
    size: ModelParams
    data: RandomSamples
    step: Step
    recipe: Recipe
    shelf: Shelf
    processes: Processes
    tracker: Tracker | None = None
    validate: Callable[[nn.Module], Row] | None = None
    validate_every: int = 0
    resumed: int = 0

    def run(self) -> list[Row]:
        """Trains from the last checkpoint, if there is one, to the end.

        Returns:
            A row an epoch, those before the checkpoint among them: epoch (from 1), lr, seconds, samples, the means of
            what `step` gives, and what `validate` gives.

        Raises:
            InputError: A clip cannot be decoded, or the loss is no longer finite.
            InfrastructureError: A checkpoint cannot be written.
        """
        recipe, first = self.recipe, self.processes.first
        self.model.to(self.processes.device)
        decays = recipe.weight_decay, recipe.layer_decay
        optimiser = make_optimiser(self.model, self.size.depth, recipe.betas, *decays)
        history = self._resume(optimiser)
        self.resumed = len(history)
        if first and history:
            _say(f"{recipe.stage}: goes on after epoch {len(history)} of {recipe.epochs}")
        self._track(history)
        shared = self.processes.share(self.model)
        for epoch in range(len(history), recipe.epochs):
            row = self._epoch(shared, optimiser, epoch)
            done = epoch + 1
            if self.validate and self.validate_every and (done % self.validate_every == 0 or done == recipe.epochs):
                row |= self.validate(self.model)
            history.append(row)
            self._track([row])
            if first:
                figures = " ".join(f"{k} {v:.4g}" for k, v in row.items() if k not in ("epoch", "samples"))
                _say(f"{recipe.stage}: epoch {done}/{recipe.epochs} {figures}")
                self._save(optimiser, history)
        return history

    def _resume(self, optimiser: AdamW) -> list[Row]:
        # What the first process finds, all use: another may see an older listing.
        state = self.processes.from_first(self.shelf.latest() if self.processes.first else None)
        if state is None:
            return []
        self.model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        return list(state["history"])

    def _save(self, optimiser: AdamW, history: list[Row]) -> None:
        done, recipe = len(history), self.recipe
        if recipe.keep_every and done % recipe.keep_every == 0:
            self.shelf.save({"model": self.model.state_dict()}, done, KEPT)
        if done % recipe.checkpoint_every == 0 or done == recipe.epochs:
            state = {"model": self.model.state_dict(), "optimiser": optimiser.state_dict(), "history": history}
            self.shelf.save(state, done)

    def _track(self, rows: list[Row]) -> None:
        if self.tracker is not None and self.processes.first:
            for row in rows:
                self.tracker.metrics({k: v for k, v in row.items() if k != "epoch"}, int(row["epoch"]))

    def _epoch(self, model: nn.Module, optimiser: AdamW, epoch: int) -> Row:
        recipe, processes, samples = self.recipe, self.processes, self.data.samples
        began = time.perf_counter()
        # What is random inside the model depends on the epoch alone too: a resumed training draws the same.
        torch.manual_seed((recipe.seed * 1_000_003 + epoch) * 1009 + processes.rank)
        _train_mode(model)
        order = plan(
            len(self.data),
            max(1, recipe.batch // samples),
            max(1, recipe.micro_batch // samples) if recipe.micro_batch else 0,
            recipe.seed,
            epoch,
            processes.rank,
            processes.count,
        )
        steps = len(order.steps)
        totals: dict[str, Tensor] = {}
        value = 0.0
        batches = self._batches(order, epoch)
        for number, (chunks, total) in enumerate(zip(order.steps, order.totals, strict=True)):
            value = rate(epoch * steps + number, recipe.epochs * steps, round(recipe.warmup * steps), recipe.lr)
            set_rate(optimiser, value)
            for chunk in range(len(chunks)):
                with self._quiet(model, chunk + 1 < len(chunks)), precision(processes.device):
                    values = self.step(model, next(batches))
                    # Averaged over processes by their gradients, so each one's part counts `count` times.
                    loss = values["loss"].sum() * (processes.count / (total * samples))
                    loss.backward()
                for name, one in values.items():
                    totals[name] = totals.get(name, torch.zeros((), device=one.device)) + one.detach().sum()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        seen = sum(order.totals) * samples
        means = {name: float(processes.sum(total)) / seen for name, total in totals.items()}
        if not math.isfinite(means["loss"]):
            raise InputError(f"the loss of {recipe.stage} is {means['loss']} in epoch {epoch + 1}", "lower lr")
        return {"epoch": epoch + 1, **means, "lr": value, "samples": seen, "seconds": time.perf_counter() - began}

    def _batches(self, order: Plan, epoch: int) -> Iterator[Batch]:
        device = self.processes.device
        keys = [[(epoch, clip) for clip in chunk] for step in order.steps for chunk in step]
        for batch in load(self.data, keys, self.data.params.workers, device.type == "cuda"):
            yield to_device(batch, device)

    def _quiet(self, model: nn.Module, more: bool) -> AbstractContextManager[Any]:
        """Gradients are averaged over processes once a step, with its last chunk."""
        return model.no_sync() if more and self.processes.count > 1 else nullcontext()  # type: ignore[operator]


def _train_mode(model: nn.Module) -> None:
    """What does not train computes as in evaluation."""
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()


def precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where the hardware is made for it: on GPUs."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def _say(text: str) -> None:
    with suppress(OSError):  # whoever read the progress went away; the work goes on
        print(text, file=sys.stderr, flush=True)
