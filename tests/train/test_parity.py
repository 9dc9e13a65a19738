"""Our VideoMAE against another implementation, transformers', with the same random weights."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from transformers import VideoMAEConfig, VideoMAEForPreTraining, VideoMAEForVideoClassification

from m2m.train.params import ModelParams
from m2m.train.videomae import MEAN, STD, Classifier, MaskedAutoencoder, patches
from tests.train.toysets import MODEL

SIZE = replace(MODEL, depth=3, width=48, heads=4, decoder_depth=2, decoder_width=32, decoder_heads=2, size=(48, 48))
TOKENS = 2 * 3 * 3


def config(model: ModelParams, **more) -> VideoMAEConfig:
    return VideoMAEConfig(
        image_size=model.size[0],
        patch_size=model.patch,
        num_frames=model.frames,
        tubelet_size=model.tubelet,
        hidden_size=model.width,
        num_hidden_layers=model.depth,
        num_attention_heads=model.heads,
        intermediate_size=4 * model.width,
        decoder_hidden_size=model.decoder_width,
        decoder_num_hidden_layers=model.decoder_depth,
        decoder_num_attention_heads=model.decoder_heads,
        decoder_intermediate_size=4 * model.decoder_width,
        layer_norm_eps=1e-6,
        **more,
    )


def theirs(kind: type[nn.Module], model: ModelParams, **more) -> nn.Module:
    """Their model with weights all of which matter, and 1e-6 in the two norms that do not follow the configuration."""
    torch.manual_seed(0)
    made = kind(config(model, **more)).eval()
    for module in (getattr(made, "fc_norm", None), getattr(getattr(made, "decoder", None), "norm", None)):
        if module is not None:
            module.eps = 1e-6
    for weight in made.parameters():
        nn.init.normal_(weight, std=0.1 if weight.dim() > 1 else 0.5)
    return made


def translated(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Their weights under our names, one rule a line: written for the test, not what the package converts with."""
    out: dict[str, Tensor] = {}
    for name, value in weights.items():
        stem, _, part = name.rpartition(".")
        if name == "mask_token":
            out[name] = value.flatten()
        elif "projection" in name:
            flat = value.permute(0, 2, 3, 4, 1).flatten(1) if part == "weight" else value
            out[f"encoder.embed.{part}"] = flat
        elif ".encoder.layer." in name or ".decoder_layers." in name:
            pieces = name.split(".")
            at = next(i for i, piece in enumerate(pieces) if piece.isdigit())
            block = ("encoder.blocks." if "encoder" in name else "decoder.") + pieces[at]
            inner = ".".join(pieces[at + 1 : -1])
            if inner.startswith("attention.attention."):
                third = {"query": 0, "key": 1, "value": 2}[inner.rsplit(".", 1)[1]]
                whole = out.setdefault(f"{block}.attn.qkv.{part}", torch.zeros(3, *value.shape))
                whole[third] = value
            else:
                ours = {
                    "attention.output.dense": "attn.proj",
                    "layernorm_before": "norm1",
                    "layernorm_after": "norm2",
                    "intermediate.dense": "mlp.fc1",
                    "output.dense": "mlp.fc2",
                }[inner]
                out[f"{block}.{ours}.{part}"] = value
        else:
            ours = {
                "videomae.layernorm": "norm",
                "encoder_to_decoder": "narrow",
                "decoder.norm": "decoder_norm",
                "decoder.head": "pixels",
                "fc_norm": "fc_norm",
                "classifier": "head",
            }[stem]
            out[f"{ours}.{part}"] = value
    return {name: value.flatten(0, 1) if ".qkv." in name else value for name, value in out.items()}


def clips(n: int = 2) -> Tensor:
    return torch.rand(n, 3, SIZE.frames, *SIZE.size, generator=torch.Generator().manual_seed(1))


def given(video: Tensor) -> Tensor:
    """Clips as transformers wants them: normalised, time before channels."""
    mean, std = (torch.tensor(v)[None, :, None, None, None] for v in (MEAN, STD))
    return ((video - mean) / std).permute(0, 2, 1, 3, 4)


@pytest.mark.parametrize("normalise", [True, False])
@torch.no_grad()
def test_pretraining_has_the_same_predictions_and_loss(normalise):
    other = theirs(VideoMAEForPreTraining, SIZE, use_mean_pooling=False, norm_pix_loss=normalise)
    ours = MaskedAutoencoder(SIZE, normalise)
    ours.load_state_dict(translated(other.state_dict()))
    order = torch.stack([torch.randperm(TOKENS, generator=torch.Generator().manual_seed(i)) for i in range(2)])
    visible, hidden = order[:, :5].sort(1).values, order[:, 5:].sort(1).values
    mask = torch.zeros(2, TOKENS, dtype=torch.bool).scatter(1, hidden, True)
    video = clips()
    wanted = other(given(video), bool_masked_pos=mask)
    guess = ours.predict(patches(video, SIZE), visible, hidden)
    assert wanted.logits.std() > 0.1
    torch.testing.assert_close(guess, wanted.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours(video, visible, hidden).mean(), wanted.loss, rtol=0, atol=1e-5)


@torch.no_grad()
def test_classification_has_the_same_scores():
    other = theirs(VideoMAEForVideoClassification, SIZE, num_labels=5)
    ours = Classifier(SIZE, 5).eval()
    ours.load_state_dict(translated(other.state_dict()))
    wanted = other(given(clips())).logits
    assert wanted.std() > 0.1
    torch.testing.assert_close(ours(clips()), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [VideoMAEForPreTraining, VideoMAEForVideoClassification])
def test_a_vit_b_has_the_same_weights_name_by_name(kind):
    pretraining, size = kind is VideoMAEForPreTraining, ModelParams()
    with torch.device("meta"):
        other = kind(config(size, use_mean_pooling=not pretraining, num_labels=400))
        ours = MaskedAutoencoder(size) if pretraining else Classifier(size, 400)
        found = translated(other.state_dict())
    assert {n: w.shape for n, w in found.items()} == {n: w.shape for n, w in ours.state_dict().items()}
