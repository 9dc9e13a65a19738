"""What VideoMAE is compared with: each kind computes what it should, trains, freezes and resumes as VideoMAE does."""

import json
from dataclasses import replace

import pytest
import torch
from timm.models import VisionTransformer
from torch import nn
from torchvision.models import resnet50
from torchvision.models.resnet import Bottleneck, ResNet
from transformers import TimesformerConfig, TimesformerForVideoClassification

from m2m.errors import InfrastructureError, InputError
from m2m.params import load
from m2m.train.checkpoints import read, read_trained
from m2m.train.convert import convert
from m2m.train.evaluate import evaluate
from m2m.train.models import make_classifier
from m2m.train.optimiser import make_optimiser
from m2m.train.pretrain import pretrain
from m2m.train.supervised import start_from
from m2m.train.videomae import MEAN, STD, Classifier
from tests.train.toysets import EVALUATE, MODEL, PRETRAIN, make_set

SIZES = {
    "timesformer": replace(MODEL, kind="timesformer"),
    "tsn": replace(MODEL, kind="tsn", depth=14),
    "i3d": replace(MODEL, kind="i3d", depth=14),
}
KINDS = tuple(SIZES)


def clips(n: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, 4, 32, 48, generator=torch.Generator().manual_seed(seed))


def made(kind: str, classes: int = 3, **more) -> nn.Module:
    torch.manual_seed(0)
    return make_classifier(SIZES[kind], classes, **more)


def given(video: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(v)[:, None, None, None] for v in (MEAN, STD))
    return (video - mean) / std


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns_and_a_fresh_head_has_even_odds(kind):
    model = made(kind, drop_path=0.1)
    odds = model.eval()(clips()).softmax(1)
    torch.testing.assert_close(odds, torch.full((2, 3), 1 / 3), atol=2e-3, rtol=0)
    nn.init.normal_(model.head.weight)
    made_of = dict(model.named_parameters())
    nn.functional.cross_entropy(model(clips()), torch.tensor([0, 2])).backward()
    for name, weight in made_of.items():
        assert weight.grad is not None and weight.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_linear_probing_leaves_the_trunk_alone(toys, tmp_path, kind):
    params = replace(EVALUATE, lp=replace(EVALUATE.lp, epochs=1), views=(1, 1))
    torch.manual_seed(0)
    before = make_classifier(SIZES[kind], 2).state_dict()
    evaluate(toys, None, tmp_path, params, SIZES[kind], protocol="lp")
    after = read(tmp_path / "checkpoint.pt")["model"]
    assert before.keys() == after.keys()
    for name in before:  # running means of norms too
        assert torch.equal(before[name], after[name]) == name.startswith("encoder."), name


@pytest.mark.parametrize(("kind", "lr", "epochs"), [("timesformer", 5e-4, 30), ("tsn", 2e-3, 14), ("i3d", 2e-3, 14)])
def test_fine_tuning_learns_a_handful_by_heart(toys, tmp_path, kind, lr, epochs):
    # A transformer this narrow is slow to tell movements; it is given colours.
    clips = make_set(tmp_path / "colours", labels=("blue", "red")) if kind == "timesformer" else toys
    still = replace(EVALUATE.ft.input, crop=1, ratio=1, jitter=0)
    how = replace(EVALUATE.ft, epochs=epochs, warmup=2, batch=4, lr=lr, input=still)
    evaluate(clips, None, tmp_path / "out", replace(EVALUATE, ft=how, views=(1, 1)), SIZES[kind], protocol="ft")
    history = json.loads((tmp_path / "out" / "metrics.json").read_text())["history"]
    assert history[-1]["top1"] == 1 and history[-1]["loss"] < 0.4 < 0.6 < history[0]["loss"]


@torch.no_grad()
def test_a_timesformer_computes_what_transformers_does():
    size = replace(SIZES["timesformer"], size=(48, 48))
    config = TimesformerConfig(
        image_size=48, num_frames=4, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128
    )
    config.num_labels = 3
    torch.manual_seed(0)
    theirs = TimesformerForVideoClassification(config).eval()
    for weight in theirs.parameters():
        nn.init.normal_(weight, std=0.2)
    ours = make_classifier(size, 3).eval()
    trunk = theirs.timesformer
    ours.encoder.embed.load_state_dict(trunk.embeddings.state_dict())
    ours.encoder.blocks.load_state_dict(trunk.encoder.layer.state_dict())
    ours.encoder.norm.load_state_dict(trunk.layernorm.state_dict())
    ours.head.load_state_dict(theirs.classifier.state_dict())
    video = torch.rand(2, 3, 4, 48, 48)
    wanted = theirs(given(video).transpose(1, 2)).logits
    assert wanted.std() > 0.1
    torch.testing.assert_close(ours(video), wanted, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_timesformer_sees_every_place_of_a_wide_picture():
    model = made("timesformer").eval()
    nn.init.normal_(model.head.weight)
    video = clips(1)
    before = model(video)
    for y in (0, 16):
        for x in (0, 16, 32):
            changed = video.clone()
            changed[..., y : y + 16, x : x + 16] = 0
            assert not torch.allclose(model(changed), before, atol=1e-6)


def test_a_timesformer_that_forgets_has_the_same_gradients():
    found = []
    for forget in (False, True):
        torch.manual_seed(0)
        model = make_classifier(replace(SIZES["timesformer"], checkpointing=forget), 3)
        nn.init.normal_(model.head.weight)
        model(clips()).square().sum().backward()
        found.append([w.grad for w in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_early_layers_of_a_timesformer_are_slower():
    model = made("timesformer")
    optimiser = make_optimiser(model, 2, (0.9, 0.999), 0.05, 0.5)
    scales = {id(p): g["scale"] for g in optimiser.param_groups for p in g["params"]}
    weights = dict(model.named_parameters())
    assert scales[id(weights["encoder.embed.cls_token"])] == 0.125
    assert scales[id(weights["encoder.blocks.0.temporal_dense.weight"])] == 0.25
    assert scales[id(weights["encoder.norm.weight"])] == scales[id(weights["head.weight"])] == 1


@torch.no_grad()
def test_tsn_is_a_mean_over_frames_whatever_their_order():
    model = made("tsn").eval()
    nn.init.normal_(model.head.weight)
    video = clips()
    single = [model.head(model.encoder.net(given(video)[:, :, t])) for t in range(4)]
    torch.testing.assert_close(model(video), torch.stack(single).mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model(video.flip(2)), model(video), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_i3d_tells_the_order_of_frames():
    model = made("i3d").eval()
    nn.init.normal_(model.head.weight)
    assert not torch.allclose(model(clips().flip(2)), model(clips()), atol=1e-4)


def converted(folder, weights, kind):
    """A fresh model that starts from a file of weights."""
    torch.save(weights, folder / "weights.pth")
    convert(folder / "weights.pth", folder / "ours", SIZES[kind])
    model = make_classifier(SIZES[kind], 3).eval()
    start_from(model, read_trained(folder / "ours", SIZES[kind]))
    return model


@torch.no_grad()
def test_resnets_of_images_start_both_kinds(tmp_path):
    torch.manual_seed(0)
    flat = ResNet(Bottleneck, [1, 1, 1, 1]).eval()
    image = {name: value for name, value in flat.state_dict().items() if not name.endswith("num_batches_tracked")}
    wanted = flat.layer1(flat.maxpool(flat.relu(flat.bn1(flat.conv1(given(clips())[:, :, 0])))))
    net = converted(tmp_path, image, "tsn").encoder.net
    assert torch.equal(net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(given(clips())[:, :, 0]))))), wanted)
    net = converted(tmp_path, flat.state_dict(), "i3d").encoder.net
    still = given(clips())[:, :, :1].expand(-1, -1, 16, -1, -1)  # long enough for the middle to see no edge in time
    features = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(still)))))
    torch.testing.assert_close(features[:, :, 4], wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match=r"lacks weight layer3\.0\.conv1\.weight"):
        image.pop("layer3.0.conv1.weight")
        converted(tmp_path, image, "tsn")


def test_an_image_transformer_starts_a_timesformer(tmp_path):
    torch.manual_seed(0)
    image = VisionTransformer(img_size=(32, 48), patch_size=16, embed_dim=32, depth=2, num_heads=2).state_dict()
    trunk = converted(tmp_path, image, "timesformer").encoder
    assert torch.equal(trunk.embed.position_embeddings, image["pos_embed"])
    block = trunk.blocks[1]
    for attention in (block.attention, block.temporal_attention):
        assert torch.equal(attention.attention.qkv.weight, image["blocks.1.attn.qkv.weight"])
        assert torch.equal(attention.output.dense.bias, image["blocks.1.attn.proj.bias"])
    assert torch.equal(block.output.dense.weight, image["blocks.1.mlp.fc2.weight"])
    assert block.temporal_dense.weight.abs().max() == trunk.embed.time_embeddings.abs().max() == 0


@torch.no_grad()
def test_a_timesformer_of_transformers_is_read(tmp_path):
    size = SIZES["timesformer"]
    config = TimesformerConfig(
        image_size=[32, 48], num_frames=4, hidden_size=32, num_hidden_layers=2, num_attention_heads=2
    )
    config.intermediate_size = 128
    theirs = TimesformerForVideoClassification(config)
    theirs.save_pretrained(tmp_path / "theirs")
    assert convert(tmp_path / "theirs", tmp_path / "ours", size).source == "transformers"
    found = read(tmp_path / "ours" / "checkpoint.pt")["model"]
    assert torch.equal(
        found["encoder.blocks.1.temporal_dense.bias"],
        theirs.state_dict()["timesformer.encoder.layer.1.temporal_dense.bias"],
    )
    with pytest.raises(InputError, match="whose frames is 4, not 8"):
        convert(tmp_path / "theirs", tmp_path / "ours", replace(size, frames=8))
    with pytest.raises(InputError, match="in the format transformers; a tsn is read from timm"):
        convert(tmp_path / "theirs", tmp_path / "ours", SIZES["tsn"])
    with pytest.raises(InputError, match="is a timesformer; videomae is written of a videomae alone"):
        convert(tmp_path / "ours", tmp_path / "no.pth", size)


def test_the_profiles_have_the_published_sizes():
    with torch.device("meta"):
        models = {name: make_classifier(load("model", name), 400) for name in ("timesformer", "tsn", "i3d")}
        flat = resnet50()
    size = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
    trunk = sum(p.numel() for p in flat.parameters()) - 2049 * 1000
    assert size["tsn"] == trunk + 2049 * 400
    assert size["i3d"] == pytest.approx(28.04e6, rel=2e-3)  # SlowFast's I3D-R50 of Kinetics-400
    assert size["timesformer"] == pytest.approx(121.6e6, rel=5e-3)  # its paper's table 2, within their rounding
    kernels = [m.kernel_size[0] for m in models["i3d"].modules() if isinstance(m, nn.Conv3d) and m.kernel_size[0] > 1]
    assert kernels == [5] + [3] * (3 + 2 + 3 + 1)


def test_only_a_videomae_is_pretrained(toys, tmp_path):
    with pytest.raises(InputError, match="a tsn is not pre-trained"):
        pretrain(toys, tmp_path, PRETRAIN, SIZES["tsn"])
    assert isinstance(make_classifier(MODEL, 2), Classifier)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(InfrastructureError, match=r"transformers; pip install 'm2m\[baselines\]'"):
        made("timesformer")
