"""One step of training and what is watched in it: clipping, averages, losses that are no numbers, precision."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from m2m.errors import InfrastructureError, InputError
from m2m.store import open_store
from m2m.train import pretrain as pretraining
from m2m.train.align import align
from m2m.train.batches import plan
from m2m.train.checkpoints import read
from m2m.train.clips import open_set
from m2m.train.evaluate import evaluate
from m2m.train.optimiser import make_optimiser, set_rate
from m2m.train.precision import autocast, resolved
from m2m.train.pretrain import pretrain
from m2m.train.processes import Processes
from m2m.train.state import Learner, averaged
from m2m.train.videomae import Classifier
from m2m.train.watch import BAD, EVERY, Noted, Watch
from tests.train.test_engine import Stop, equal, figures, weights
from tests.train.test_resume import EVERY_STEP, Interrupting, last, stop
from tests.train.toysets import ALIGN, EVALUATE, MODEL, PRETRAIN

CPU = torch.device("cpu")


def learner(ema: float = 0.0) -> Learner:
    torch.manual_seed(0)
    model = Classifier(MODEL, 2)
    optimiser = make_optimiser(model, MODEL.depth, (0.9, 0.999), 0.0, 1.0)
    set_rate(optimiser, 1e-3)
    return Learner(model, optimiser, averaged(model, ema))


def backward(model: nn.Module) -> float:
    """A gradient, and its norm by hand."""
    sum((p.square() * torch.arange(1, p.numel() + 1).view_as(p)).sum() for p in model.parameters()).backward()
    return float(np.sqrt(sum(float(p.grad.double().square().sum()) for p in model.parameters())))


@pytest.mark.parametrize("share", [0.0, 0.1, 10.0])
def test_a_gradient_longer_than_allowed_is_shortened_and_its_own_length_told(share):
    one = learner()
    norm = backward(one.model)
    seen = {}
    one.optimiser.step = lambda: seen.update(
        norm=np.sqrt(sum(float(p.grad.square().sum()) for p in one.model.parameters()))
    )
    assert float(one.update(share * norm, 0)) == pytest.approx(norm, rel=1e-4)
    assert seen["norm"] == pytest.approx(norm * (0.1 if share == 0.1 else 1), rel=1e-4)
    assert all(p.grad is None for p in one.model.parameters())


def test_the_average_follows_the_weights_as_its_formula_says():
    one, decay = learner(ema=0.8), 0.8
    wanted = {k: v.clone() for k, v in one.model.state_dict().items()}
    for step in range(1, 30):
        backward(one.model)
        one.update(0.0, step - 1)
        keep = min(decay, 1 - step ** (-2 / 3))
        wanted = {k: keep * wanted[k] + (1 - keep) * v for k, v in one.model.state_dict().items()}
    found = one.result.state_dict()
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-7)
    assert not equal(found, one.model.state_dict())


def test_the_average_is_what_is_validated_tested_kept_and_handed_on(toys, tmp_path):
    store = open_store(tmp_path / "store")
    params = replace(EVALUATE, validate_every=1, keep_best=True, ft=replace(EVALUATE.ft, ema=0.999, epochs=2))
    evaluate(toys, None, tmp_path / "out", params, MODEL, store=store)
    state = read(sorted((tmp_path / "store").rglob("epoch-*.pt"))[-1])
    assert equal(weights(tmp_path / "out"), state["average"]) and not equal(state["average"], state["model"])
    pretrain(toys, tmp_path / "pre", replace(PRETRAIN, epochs=2, ema=0.999, keep_every=2), MODEL)
    assert equal(read(tmp_path / "pre" / "models" / "epoch-00002.pt")["model"], weights(tmp_path / "pre"))


def test_the_history_has_the_mean_norm_of_whole_steps(toys, tmp_path, monkeypatch):
    """Not of the chunks that they are computed in."""
    seen, plain = [], Learner.update

    def update(self, clip, step):
        seen.append(np.sqrt(sum(float(p.grad.double().square().sum()) for p in self.model.parameters())))
        return plain(self, clip, step)

    monkeypatch.setattr(Learner, "update", update)
    pretrain(toys, tmp_path, replace(PRETRAIN, epochs=2, micro_batch=2, clip_grad=1e-3), MODEL)
    told = [row["grad_norm"] for row in figures(tmp_path)]
    assert told == pytest.approx([np.mean(seen[:2]), np.mean(seen[2:])], rel=1e-5)


def test_a_short_leash_learns_less(toys, tmp_path):
    for name, clip in (("free", 0.0), ("held", 1e-12)):  # AdamW's own epsilon then outweighs the gradient
        pretrain(toys, tmp_path / name, replace(PRETRAIN, epochs=2, clip_grad=clip), MODEL)
    free, held = (figures(tmp_path / name) for name in ("free", "held"))
    assert free[-1]["loss"] < held[-1]["loss"]


def test_the_best_model_is_kept_beside_the_last(toys, tmp_path, monkeypatch):
    scores, seen = iter([0.5, 0.75, 0.75, 0.25]), []

    def validation(*_):
        def look(model):
            seen.append({k: v.clone() for k, v in model.state_dict().items()})
            return {"val_top1": next(scores)}

        return look

    monkeypatch.setattr("m2m.train.align.validation", validation)
    params = replace(ALIGN, validate_every=1, keep_best=True)
    lost = Interrupting(tmp_path / "store", 5, stop)  # best and epoch, twice; then the third epoch
    with pytest.raises(Stop):
        align(toys, None, tmp_path, params, MODEL, store=lost)
    align(toys, None, tmp_path, params, MODEL, store=open_store(tmp_path / "store"))
    assert len(seen) == 4 and equal(weights(tmp_path), seen[3])
    best = read(tmp_path / "models" / "best.pt")
    assert equal(best["model"], seen[1]) and (best["epoch"], best["classes"]) == (2, ["down", "right"])
    assert [p.name[:10] for p in (tmp_path / "store").rglob("best-*.pt")] == ["best-00002"]


def test_the_best_is_not_looked_for_without_validation_clips(toys, tmp_path):
    with pytest.raises(ValueError, match="keep_best needs a validate_every"):
        replace(ALIGN, keep_best=True, validate_every=0)
    from tests.train.toysets import make_set

    data = make_set(tmp_path / "data", train=2, val=0)
    with pytest.raises(InputError, match="no clip of the split val"):
        align(data, None, tmp_path / "out", replace(ALIGN, keep_best=True), MODEL)


def test_a_loss_that_is_no_number_stops_the_step_and_names_its_clips(toys, tmp_path, monkeypatch):
    params = replace(PRETRAIN, batch=4, checkpoint_minutes=EVERY_STEP)  # 2 clips a step, 4 steps an epoch
    plain, steps = pretraining._step, iter(range(100))

    def step(model, batch):
        values = plain(model, batch)
        return {"loss": values["loss"] * (torch.nan if next(steps) == 6 else 1)}

    monkeypatch.setattr(pretraining, "_step", step)
    store = open_store(tmp_path / "store")
    with pytest.raises(InputError, match=rf"loss of pretrain is nan in epoch 2, step 3; look at the clips in .*{BAD}"):
        pretrain(toys, tmp_path / "out", params, MODEL, store=store)
    report = json.loads((tmp_path / "out" / BAD).read_text())
    clips = [open_set(toys).train[i].clip_id for i in plan(8, 2, 0, params.seed, 1).steps[2][0]]
    assert (report["epoch"], report["step"], report["loss"], report["grad_norm"]) == (2, 3, "nan", "nan")
    assert report["clips"] == clips and 0 < report["lr"] <= params.lr
    state = last(store)
    assert (len(state["history"]), state["step"]) == (1, 2)
    assert all(v.isfinite().all() for v in state["model"].values())
    monkeypatch.setattr(pretraining, "_step", plain)
    pretrain(toys, tmp_path / "out", params, MODEL, store=store)
    pretrain(toys, tmp_path / "straight", params, MODEL)
    assert equal(weights(tmp_path / "out"), weights(tmp_path / "straight"))
    assert not (tmp_path / "out" / BAD).exists()


def noted(step: int, loss: float = 1.0, norm: float = 1.0) -> Noted:
    return Noted(1, step, 0.1, torch.tensor(loss), torch.tensor(norm), (f"clip {step}",))


@pytest.mark.parametrize(
    ("values", "said"),
    [({"loss": torch.inf}, "the loss of toys is inf"), ({"norm": torch.nan}, "the gradient of toys is nan")],
)
def test_a_gpu_is_asked_seldom_and_the_step_named_all_the_same(tmp_path, values, said):
    watch = Watch(tmp_path, "toys", Processes(0, 1, torch.device("cuda")))
    for step in range(1, EVERY):
        watch.note(noted(step, **(values if step == 3 else {})))
        watch.look(now=False)
    watch.note(noted(EVERY, loss=torch.nan))
    with pytest.raises(InputError, match=f"{said} in epoch 1, step 3;"):
        watch.look(now=False)
    assert json.loads((tmp_path / BAD).read_text())["clips"] == ["clip 3"]


def test_a_gpu_is_asked_before_a_checkpoint(tmp_path):
    watch = Watch(tmp_path, "toys", Processes(0, 1, torch.device("cuda")))
    watch.look(now=True)
    watch.note(noted(1, loss=torch.nan))
    with pytest.raises(InputError, match="step 1;"):
        watch.look(now=True)


def test_a_cpu_computes_in_float32_and_a_gpu_in_bfloat16_unless_told_otherwise():
    gpu = torch.device("cuda")
    assert [resolved(p, CPU) for p in ("auto", "bf16", "fp32")] == ["fp32", "bf16", "fp32"]
    assert [resolved(p, gpu) for p in ("auto", "bf16", "fp32")] == ["bf16", "bf16", "fp32"]
    layer = nn.Linear(2, 2)
    for precision, kind in (("auto", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(precision, CPU):
            assert layer(torch.ones(1, 2)).dtype == kind
    assert layer.weight.dtype == torch.float32


def test_precision_is_part_of_what_a_result_depends_on(toys, tmp_path):
    summaries = {}
    for precision in ("fp32", "bf16"):
        params = replace(PRETRAIN, epochs=2, precision=precision)
        summaries[precision] = pretrain(toys, tmp_path / precision, params, MODEL)
        environment = json.loads((tmp_path / precision / "metrics.json").read_text())["environment"]
        assert (environment["precision"], environment["compile"]) == (precision, False)
    assert summaries["fp32"].fingerprint != summaries["bf16"].fingerprint
    losses = [summaries[p].figures["loss"] for p in ("fp32", "bf16")]
    assert losses[0] == pytest.approx(losses[1], rel=0.02) and losses[0] != losses[1]


def test_a_compiled_model_is_the_same_model(toys, tmp_path, monkeypatch):
    """All of PyTorch's compiler but the last step, which needs a C++ compiler."""
    plain, calls = torch.compile, []

    def compile_(model, *, dynamic, options):
        calls.append(options)
        return plain(model, dynamic=dynamic, backend="aot_eager")

    monkeypatch.setattr(torch, "compile", compile_)
    params = replace(ALIGN, epochs=1, drop_path=0.3, mixup=0.8)
    done = [
        align(toys, None, tmp_path / name, replace(params, compile=on), MODEL)
        for name, on in (("plain", False), ("compiled", True))
    ]
    assert len(calls) == 1 and done[0].fingerprint == done[1].fingerprint
    one, other = weights(tmp_path / "plain"), weights(tmp_path / "compiled")
    assert list(one) == list(other)
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-5)


def test_a_machine_that_cannot_compile_says_so(toys, tmp_path, monkeypatch):
    from torch._dynamo.exc import BackendCompilerFailed

    def broken(model, **_):
        def forward(*_):
            raise BackendCompilerFailed("inductor", RuntimeError("no working C++ compiler"), None)

        return forward

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(InfrastructureError, match=r"cannot be compiled: .*C\+\+.*set compile to false"):
        pretrain(toys, tmp_path, replace(PRETRAIN, compile=True), MODEL)
