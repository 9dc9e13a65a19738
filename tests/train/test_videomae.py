"""VideoMAE's shapes and sizes, its target against an independent computation, and what it can and cannot see."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from m2m.train.params import ModelParams
from m2m.train.videomae import STILL, Classifier, Encoder, MaskedAutoencoder, gather, patches, positions, target
from tests.train.toysets import MODEL

TOKENS = 2 * 2 * 3


def clips(n: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, 4, 32, 48, generator=torch.Generator().manual_seed(seed))


def halves(n: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    order = torch.stack([torch.randperm(TOKENS, generator=torch.Generator().manual_seed(i)) for i in range(n)])
    return order[:, : TOKENS // 2], order[:, TOKENS // 2 :]


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_vit_b_has_the_published_size():
    with torch.device("meta"):
        model = MaskedAutoencoder(ModelParams())
    # Block: 4 w^2 attention + 8 w^2 MLP + biases and norms 13 w; embedding 1536 w + w; the final norm 2 w.
    assert count(model.encoder) + count(model.norm) == 12 * (12 * 768**2 + 13 * 768) + 1537 * 768 + 2 * 768
    assert count(model.encoder) == pytest.approx(86.2e6, rel=2e-3)
    assert count(model) == pytest.approx(94.2e6, rel=5e-3)  # VideoMAE's published 94 M with its decoder
    assert model.model.grid == (8, 14, 14)


def test_a_patch_holds_the_pixels_of_its_place():
    video = clips(1).numpy()
    cut = patches(torch.from_numpy(video), MODEL)[0].numpy()
    for token, (t, y, x) in enumerate(np.ndindex(2, 2, 3)):
        block = video[0, :, 2 * t : 2 * t + 2, 16 * y : 16 * y + 16, 16 * x : 16 * x + 16]
        assert np.array_equal(cut[token], block.transpose(1, 2, 3, 0).reshape(-1, 3))


def test_targets_are_normalised_patch_by_patch_and_channel_by_channel():
    pixels = np.random.default_rng(0).uniform(size=(2, 5, 512, 3))
    wanted = np.empty_like(pixels)
    for clip, token, channel in np.ndindex(2, 5, 3):
        values = pixels[clip, token, :, channel]
        deviation = math.sqrt(sum((v - values.mean()) ** 2 for v in values) / (len(values) - 1))
        wanted[clip, token, :, channel] = (values - values.mean()) / (deviation + 1e-6)
    found = target(torch.from_numpy(pixels), normalise=True)
    np.testing.assert_allclose(found.numpy(), wanted.reshape(2, 5, -1), rtol=1e-9, atol=1e-9)
    assert np.array_equal(target(torch.from_numpy(pixels), normalise=False).numpy(), pixels.reshape(2, 5, -1))


def test_a_flat_patch_has_a_finite_target():
    assert target(torch.full((1, 1, 512, 3), 0.5), normalise=True).abs().max() == 0


def test_a_residual_is_what_moves_at_full_size():
    model = replace(MODEL, pixels="residual")
    video = clips(1).numpy()
    video[:] = video[:, :, :1]  # nothing moves
    still = patches(torch.from_numpy(video), model)
    assert still.abs().max() < 1e-3
    video[0, :, 1, :16, :16] += 0.5
    moving = patches(torch.from_numpy(video), model)[0]
    assert moving[0].abs().max() > 1 and moving[1:6].abs().max() < 1e-3
    assert moving.reshape(2, 6, 2, 256, 3).sum((0, 2)).abs().max() < 1e-3  # over a sample's frames
    fainter = patches(torch.from_numpy(video * 0.7 + 0.2), model)[0]
    torch.testing.assert_close(fainter, moving, rtol=0.1, atol=1e-3)


def test_amplified_pixels_are_the_residual_before_a_faint_scene():
    video = clips(2)
    residual, amplified = (patches(video, replace(MODEL, pixels=kind)) for kind in ("residual", "amplified"))
    scene = patches(video.mean(2, keepdim=True).expand_as(video).contiguous(), replace(MODEL, pixels="rgb"))
    torch.testing.assert_close(amplified - residual, STILL * (scene - 0.5), rtol=1e-4, atol=1e-5)
    assert residual.std() > 10 * (amplified - residual).std()


def test_positions_follow_the_published_formula():
    table = positions(20, 8)
    for place in (0, 1, 19):
        for k in range(4):
            angle = place / 10000 ** (2 * k / 8)
            assert table[place, 2 * k].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[place, 2 * k + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_gather_takes_tokens_by_index():
    tokens = torch.arange(2 * 4 * 3 * 2).reshape(2, 4, 3, 2)
    index = torch.tensor([[3, 0], [1, 1]])
    assert torch.equal(gather(tokens, index)[0], tokens[0, [3, 0]])
    assert torch.equal(gather(tokens, index)[1], tokens[1, [1, 1]])


def test_the_loss_is_the_mean_square_over_hidden_tokens_alone():
    torch.manual_seed(0)
    model, video, (visible, hidden) = MaskedAutoencoder(MODEL), clips(), halves()
    loss = model(video, visible, hidden)
    pixels = patches(video, MODEL)
    guess = model.predict(pixels, visible, hidden).detach().numpy()
    wanted = np.stack([target(pixels[i : i + 1, hidden[i]], True)[0].numpy() for i in range(2)])
    np.testing.assert_allclose(loss.detach().numpy(), ((guess - wanted) ** 2).mean((1, 2)), rtol=1e-5)


def test_hidden_pixels_change_no_prediction_and_visible_ones_do():
    torch.manual_seed(0)
    model, (visible, hidden) = MaskedAutoencoder(MODEL), halves()
    pixels = patches(clips(), MODEL)
    changed = pixels.clone()
    changed[0, hidden[0]] = 0.0
    before = model.predict(pixels, visible, hidden)
    assert torch.equal(before, model.predict(changed, visible, hidden))
    changed[0, visible[0, 0]] = 0.0
    after = model.predict(changed, visible, hidden)
    assert not torch.allclose(before[0], after[0]) and torch.equal(before[1], after[1])


def test_predictions_belong_to_their_places_whatever_the_order():
    torch.manual_seed(0)
    model, (visible, hidden) = MaskedAutoencoder(MODEL), halves()
    pixels = patches(clips(), MODEL)
    straight = model.predict(pixels, visible, hidden)
    turned = model.predict(pixels, visible.flip(1), hidden.flip(1))
    torch.testing.assert_close(straight, turned.flip(1), rtol=1e-4, atol=1e-5)


def test_every_weight_learns():
    torch.manual_seed(0)
    autoencoder = MaskedAutoencoder(MODEL)
    autoencoder(clips(), *halves()).sum().backward()
    classifier = Classifier(MODEL, 3)
    torch.nn.init.normal_(classifier.head.weight)
    torch.nn.functional.cross_entropy(classifier(clips()), torch.tensor([0, 2])).backward()
    for model in (autoencoder, classifier):
        for name, weight in model.named_parameters():
            assert weight.grad is not None and weight.grad.abs().max() > 0, name


def test_the_encoder_sees_all_tokens_as_it_sees_them_one_by_one_listed():
    torch.manual_seed(0)
    encoder, pixels = Encoder(MODEL), patches(clips(), MODEL)
    everything = torch.arange(TOKENS).expand(2, -1)
    torch.testing.assert_close(encoder(pixels), encoder(pixels, everything))


def test_a_fresh_classifier_has_even_odds():
    torch.manual_seed(0)
    odds = Classifier(MODEL, 5)(clips(8)).softmax(1)
    torch.testing.assert_close(odds, torch.full((8, 5), 0.2), atol=1e-3, rtol=0)


def test_the_model_can_learn_to_fill_holes():
    torch.manual_seed(0)
    model, video, (visible, hidden) = MaskedAutoencoder(MODEL), clips(1), halves(1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = model(video, visible, hidden).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(1.0, abs=0.5) and losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("kind", ["autoencoder", "classifier"])
def test_forgetting_changes_no_gradient(kind):
    found = []
    for forget in (False, True):
        torch.manual_seed(0)
        size = replace(MODEL, checkpointing=forget)
        model = MaskedAutoencoder(size) if kind == "autoencoder" else Classifier(size, 3, drop_path=0.5)
        torch.manual_seed(1)  # the same branches are left out
        if isinstance(model, Classifier):
            torch.nn.init.normal_(model.head.weight)
            loss = functional.cross_entropy(model(clips()), torch.tensor([0, 2]))
        else:
            loss = model(clips(), *halves()).sum()
        loss.backward()
        found.append({name: w.grad for name, w in model.named_parameters()})
    for name, gradient in found[0].items():
        assert torch.equal(gradient, found[1][name]), name


def test_forgetting_keeps_less():
    kept = []
    for forget in (False, True):
        model, total = MaskedAutoencoder(replace(MODEL, depth=6, checkpointing=forget)), 0

        def count(tensor):
            nonlocal total
            total += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            model(clips(), *halves())
        kept.append(total)
    assert kept[1] < 0.6 * kept[0]


def test_attention_is_pytorchs(monkeypatch):
    """Its fused kernels, where there are some, and not a product of matrices."""
    calls = []
    whole = functional.scaled_dot_product_attention
    monkeypatch.setattr(functional, "scaled_dot_product_attention", lambda *a, **k: calls.append(1) or whole(*a, **k))
    MaskedAutoencoder(MODEL)(clips(), *halves())
    assert len(calls) == MODEL.depth + MODEL.decoder_depth


@pytest.mark.parametrize("forget", [False, True])
def test_models_compile_without_a_break(forget):
    size = replace(MODEL, checkpointing=forget)
    for model, given in ((MaskedAutoencoder(size), (clips(), *halves())), (Classifier(size, 3), (clips(),))):
        torch._dynamo.reset()
        told = torch._dynamo.explain(model)(*given)
        assert (told.graph_count, told.graph_break_count) == (1, 0), told.break_reasons
