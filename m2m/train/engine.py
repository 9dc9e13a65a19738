"""The loop that all trainings share: epochs, accumulation, rates, checkpoints, progress."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from m2m.train.batches import Batch, Plan, Samples, load, plan, to_device
from m2m.train.checkpoints import BEST, Shelf
from m2m.train.optimiser import make_optimiser, rate, set_rate
from m2m.train.params import ModelParams
from m2m.train.precision import compiled, compiling
from m2m.train.processes import Processes, check_share
from m2m.train.sigterm import Interrupted, Sigterm, put_off
from m2m.train.state import Learner, Progress, Row, averaged
from m2m.train.watch import Noted, Watch


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


@dataclass(frozen=True)
class Recipe:
    """What the loop needs to know of a stage's parameters; fields as there."""

    stage: str
    seed: int
    epochs: int
    warmup: float
    batch: int
    micro_batch: int
    lr: float
    betas: tuple[float, float]
    weight_decay: float
    clip_grad: float
    ema: float
    compile: bool
    checkpoint_every: int
    checkpoint_minutes: float
    layer_decay: float = 1.0
    keep_every: int = 0
    keep_best: bool = False
    validate_every: int = 0

    @classmethod
    def of(cls, stage: str, seed: int, *params: Any) -> "Recipe":
        """The fields of parameters that have them; where several do, the last ones count."""
        values = {f.name: getattr(p, f.name) for p in params for f in fields(cls) if hasattr(p, f.name)}
        return cls(**{**values, "stage": stage, "seed": seed})


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
        out: Folder of the results, where a batch is noted that spoils the model.
        processes: Who takes part.
        tracker: Where it is written down, or None.
        validate: Figures of the model on other clips, after each `validate_every` epochs and the last, or None.
        resumed: Epochs that an earlier run had done.
        result: After the training, the model to test and to hand on.
    """

    model: nn.Module
    size: ModelParams
    data: Samples
    step: Step
    recipe: Recipe
    shelf: Shelf
    out: Path
    processes: Processes
    tracker: Tracker | None = None
    validate: Callable[[nn.Module], Row] | None = None
    resumed: int = 0
    result: nn.Module = field(init=False)

    def run(self) -> list[Row]:
        """Trains from the last checkpoint, if there is one, to the end.

        After SIGTERM the step in hand is finished and a checkpoint written before the signal has its usual effect.

        Returns:
            A row an epoch, those before the checkpoint among them: epoch (from 1), lr, seconds, samples, the means of
            what `step` gives and of the gradient's norm, and what `validate` gives.

        Raises:
            InputError: A clip cannot be decoded, the loss is no longer finite, or processes have no equal parts.
            InfrastructureError: A checkpoint cannot be written, or the model not be compiled.
            KeyboardInterrupt: After SIGTERM.
        """
        recipe, group = self.recipe, self.processes
        check_share(recipe.batch, self.data.samples, group.count)
        self.model.to(group.device)
        optimiser = make_optimiser(self.model, self.size.depth, recipe.betas, recipe.weight_decay, recipe.layer_decay)
        learner = Learner(self.model, optimiser, averaged(self.model, recipe.ema))
        # What the first process finds, all use: another may see an older listing.
        state = group.from_first(self.shelf.latest() if group.first else None)
        progress = Progress() if state is None else learner.restore(state)
        self.result, self.resumed = learner.result, len(progress.history)
        if state is not None and group.first:
            within = f" and {progress.step} steps" if progress.step else ""
            say(f"{recipe.stage}: goes on after epoch {self.resumed}{within} of {recipe.epochs}")
        self._track(progress.history)
        with put_off() as sigterm, compiling(recipe.compile):
            _Loop(self, learner, progress, sigterm).run()
        return progress.history

    def _track(self, rows: list[Row]) -> None:
        if self.tracker is not None and self.processes.first:
            for row in rows:
                self.tracker.metrics({k: v for k, v in row.items() if k != "epoch"}, int(row["epoch"]))


class _Loop:
    """A training that runs.

    Args:
        training: What was asked for.
        learner: Its model.
        progress: How far it is.
        sigterm: Whether it is to stop.
    """

    def __init__(self, training: Training, learner: Learner, progress: Progress, sigterm: Sigterm) -> None:
        self.training, self.recipe, self.group = training, training.recipe, training.processes
        self.learner, self.progress, self.sigterm = learner, progress, sigterm
        self.watch = Watch(training.out, self.recipe.stage, self.group)
        self.shared = self.group.share(learner.model)
        self.forward = compiled(self.shared) if self.recipe.compile else self.shared
        self.saved = time.monotonic()

    def run(self) -> None:
        """Does the epochs that are left.

        Raises:
            Interrupted: SIGTERM has come; a checkpoint is written.
        """
        history = self.progress.history
        while len(history) < self.recipe.epochs:
            row = self._epoch(len(history))
            try:
                row |= self._validated(len(history) + 1)
            except Interrupted:
                self._save()
                raise
            history.append(row)
            self.progress.step, self.progress.totals, self.progress.seconds = 0, {}, 0.0
            self.training._track([row])
            if self.group.first:
                figures = " ".join(f"{k} {v:.4g}" for k, v in row.items() if k not in ("epoch", "samples"))
                say(f"{self.recipe.stage}: epoch {len(history)}/{self.recipe.epochs} {figures}")
                self._keep(row)

    def _epoch(self, epoch: int) -> Row:
        """The steps of an epoch that are left; its figures."""
        recipe, group, progress = self.recipe, self.group, self.progress
        samples, began = self.training.data.samples, time.perf_counter() - progress.seconds
        order = plan(
            len(self.training.data),
            max(1, recipe.batch // samples),
            max(1, recipe.micro_batch // samples) if recipe.micro_batch else 0,
            recipe.seed,
            epoch,
            group.rank,
            group.count,
        )
        steps = len(order.steps)
        lr = [
            rate(epoch * steps + n, recipe.epochs * steps, round(recipe.warmup * steps), recipe.lr)
            for n in range(steps)
        ]
        # What was summed before the checkpoint was summed over all processes.
        sums = {k: v.to(group.device) * group.first for k, v in progress.totals.items()}
        self.learner.train()
        batches = self._batches(order, epoch, progress.step)
        for number in range(progress.step, steps):
            total = order.totals[number] * samples
            set_rate(self.learner.optimiser, lr[number])
            seed = np.random.SeedSequence([recipe.seed, epoch, number, group.rank]).generate_state(1, np.uint64)
            values = self._gradient(batches, len(order.steps[number]), total, int(seed[0]))
            norm = self.learner.update(recipe.clip_grad, epoch * steps + number)
            clips = tuple(self.training.data.name(i) for chunk in order.steps[number] for i in chunk)
            self.watch.note(Noted(epoch + 1, number + 1, lr[number], values["loss"] / total, norm, clips))
            values["grad_norm"] = norm.double() * (total / group.count)
            sums = {name: sums.get(name, 0) + value for name, value in values.items()}
            last = number + 1 == steps
            stop, due = group.any(self.sigterm.asked, self._due() and not last)
            self.watch.look(now=stop or due or last)  # nothing spoilt is saved
            if stop or due or last:
                progress.step, progress.seconds = number + 1, time.perf_counter() - began
                progress.totals = {name: group.sum(value.clone()).cpu() for name, value in sums.items()}
            if stop or due:
                self._save()
            if stop:
                group.from_first(None)  # who leaves is missed: nobody does before the checkpoint is there
                raise Interrupted
        seen = sum(order.totals) * samples
        means = {name: float(value) / seen for name, value in progress.totals.items()}
        return {"epoch": epoch + 1, **means, "lr": lr[-1], "samples": seen, "seconds": progress.seconds}

    def _gradient(self, batches: Iterator[Batch], chunks: int, total: int, seed: int) -> dict[str, Tensor]:
        """Adds up the gradient of a step.

        Args:
            batches: Where its chunks come from.
            chunks: How many.
            total: Samples of the step over all processes.
            seed: Of what is random inside the model: one of the step, so that a resumed training draws the same.

        Returns:
            Sums over this process's samples, float64.
        """
        group, sums = self.group, dict[str, Tensor]()
        for chunk in range(chunks):
            batch = next(batches)
            if chunk == 0:  # a loader draws a number when it begins
                torch.manual_seed(seed)
            # Gradients are averaged over processes once a step, with its last chunk.
            quiet = group.count > 1 and chunk + 1 < chunks
            with self.shared.no_sync() if quiet else nullcontext():  # type: ignore[operator]
                with group.autocast():
                    values = self.training.step(self.forward, batch)
                # Averaged over processes, so each one's part counts `count` times.
                (values["loss"].sum() * (group.count / total)).backward()
            for name, value in values.items():
                sums[name] = sums.get(name, 0) + value.detach().sum().double()
        return sums

    def _batches(self, order: Plan, epoch: int, first: int) -> Iterator[Batch]:
        data, device = self.training.data, self.group.device
        keys = [[(epoch, clip) for clip in chunk] for step in order.steps[first:] for chunk in step]
        for batch in load(data, keys, data.params.workers, device.type == "cuda") if keys else ():
            yield to_device(batch, device)

    def _validated(self, done: int) -> Row:
        look, every = self.training.validate, self.recipe.validate_every
        self.group.share_buffers(self.learner.result)
        if look is None or not every or (done % every and done < self.recipe.epochs):
            return {}
        with self.sigterm.idle():
            return look(self.learner.result)

    def _due(self) -> bool:
        minutes = self.recipe.checkpoint_minutes
        return bool(self.group.first and minutes and time.monotonic() - self.saved >= 60 * minutes)

    def _save(self) -> None:
        if self.group.first:
            state = self.learner.state(self.progress)
            self.training.shelf.save(state, len(self.progress.history), self.progress.step)
        self.saved = time.monotonic()

    def _keep(self, row: Row) -> None:
        """Stores what is to be kept after an epoch."""
        history, recipe, shelf = self.progress.history, self.recipe, self.training.shelf
        done = len(history)
        if recipe.keep_every and done % recipe.keep_every == 0:
            shelf.keep(self.learner.result.state_dict(), done)
        if recipe.keep_best and "val_top1" in row:
            # One that lies ahead is of a run that was lost.
            before = [history[e - 1].get("val_top1", 0.0) for e in shelf.epochs(BEST) if e < done]
            if not before or row["val_top1"] > max(before):
                shelf.keep(self.learner.result.state_dict(), done, BEST)
        if done % recipe.checkpoint_every == 0 or done == recipe.epochs or self._due():
            self._save()


def say(text: str) -> None:
    """Prints a line of progress."""
    with suppress(OSError):  # whoever read the progress went away; the work goes on
        print(text, file=sys.stderr, flush=True)
