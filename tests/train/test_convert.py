"""Models of others come in with the same scores, ours go out and come back bit by bit; what does not fit is named."""

import argparse
import json
from dataclasses import replace

import pytest
import timm
import torch
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import VideoMAEForPreTraining, VideoMAEForVideoClassification

from m2m.cli import main
from m2m.errors import InputError
from m2m.experiment import align_set
from m2m.tracking import SWITCH
from m2m.train import layouts
from m2m.train.checkpoints import read, read_parent, read_trained, write, write_trained
from m2m.train.convert import convert
from m2m.train.params import ModelParams
from m2m.train.supervised import start_from
from m2m.train.videomae import Classifier, MaskedAutoencoder
from tests.train.test_parity import SIZE, clips, given, theirs, translated
from tests.train.toysets import ALIGN

OFFICIAL = {
    "encoder.patch_embed.proj.weight": (48, 3, 2, 16, 16),
    "encoder.patch_embed.proj.bias": (48,),
    "encoder.norm.weight": (48,),
    "encoder.norm.bias": (48,),
    "encoder_to_decoder.weight": (32, 48),
    "mask_token": (1, 1, 32),
    "decoder.norm.weight": (32,),
    "decoder.norm.bias": (32,),
    "decoder.head.weight": (1536, 32),
    "decoder.head.bias": (1536,),
}
"""Names and shapes as VideoMAE's files of pre-training have them, but for the blocks."""

BLOCK = {
    "norm1.weight": (1,),
    "norm1.bias": (1,),
    "attn.q_bias": (1,),
    "attn.v_bias": (1,),
    "attn.qkv.weight": (3, 1),
    "attn.proj.weight": (1, 1),
    "attn.proj.bias": (1,),
    "norm2.weight": (1,),
    "norm2.bias": (1,),
    "mlp.fc1.weight": (4, 1),
    "mlp.fc1.bias": (4,),
    "mlp.fc2.weight": (1, 4),
    "mlp.fc2.bias": (1,),
}
"""The same of a block, in multiples of its width."""


def official(tuned: bool = False) -> dict[str, torch.Tensor]:
    """Random weights in VideoMAE's own names."""
    shapes = dict(OFFICIAL)
    for prefix, depth, width in (("encoder.blocks", 3, 48), ("decoder.blocks", 2, 32)):
        for i in range(depth):
            shapes |= {f"{prefix}.{i}.{n}": tuple(k * width for k in s) for n, s in BLOCK.items()}
    if tuned:
        shapes = {n.removeprefix("encoder."): s for n, s in shapes.items() if n.startswith("encoder.")}
        shapes = {n.replace("norm.", "fc_norm.") if n.startswith("norm.") else n: s for n, s in shapes.items()}
        shapes |= {"head.weight": (5, 48), "head.bias": (5,)}
    generator = torch.Generator().manual_seed(0)
    return {n: torch.randn(s, generator=generator) * 0.1 for n, s in shapes.items()}


def random_model(pretraining: bool, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    model = MaskedAutoencoder(SIZE) if pretraining else Classifier(SIZE, 5)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


def without_keys(weights):
    """Zeros in place of the biases of keys, which other layouts have no place for."""
    out = {name: value.clone() for name, value in weights.items()}
    for name, value in out.items():
        if name.endswith("qkv.bias"):
            value.chunk(3)[1].zero_()
    return out


def equal(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@torch.no_grad()
def scores(model, weights):
    model.load_state_dict(weights)
    if isinstance(model, Classifier):
        return model.eval()(clips())
    return model(clips(), torch.arange(6).expand(2, -1), torch.arange(6, 18).expand(2, -1))


@pytest.mark.parametrize("tuned", [False, True])
@pytest.mark.parametrize("top", ["model", "module"])
def test_videomaes_own_files_are_read_and_written(tmp_path, tuned, top):
    weights = official(tuned)
    # What the authors' code saves beside the weights.
    torch.save({top: weights, "epoch": 799, "args": argparse.Namespace(lr=1e-3)}, tmp_path / "theirs.pth")
    done = convert(tmp_path / "theirs.pth", tmp_path / "ours", SIZE)
    assert (done.source, done.pretraining, done.left_out) == ("videomae", not tuned, ())
    trained = read_trained(tmp_path / "ours", SIZE)
    assert trained.stage == "convert"
    start_from(Classifier(SIZE, 2), trained)
    convert(tmp_path / "ours", tmp_path / "back.pth", ModelParams())
    assert equal(read(tmp_path / "back.pth")["model"], weights)


@pytest.mark.parametrize("write_as", ["videomae", "transformers"])
@pytest.mark.parametrize("pretraining", [True, False])
@settings(max_examples=3, deadline=None)
@drawn(seed=st.integers(0, 2**32 - 1))
def test_ours_go_out_and_come_back_bit_by_bit(tmp_path_factory, write_as, pretraining, seed):
    folder = tmp_path_factory.mktemp("round")
    weights = random_model(pretraining, seed).state_dict()
    write_trained(folder / "ours" / "checkpoint.pt", "align", SIZE, weights, classes=["a", "b", "c", "d", "e"])
    done = convert(folder / "ours", folder / "theirs", ModelParams(), "m2m", write_as)
    assert done.key_bias == max(w.chunk(3)[1].abs().max() for n, w in weights.items() if n.endswith("qkv.bias"))
    convert(folder / "theirs", folder / "back", SIZE, write_as, "m2m")
    back = read(folder / "back" / "checkpoint.pt")
    assert equal(back["model"], without_keys(weights))
    assert back["classes"] == (["a", "b", "c", "d", "e"] if (write_as, pretraining) == ("transformers", False) else [])


@pytest.mark.parametrize("pretraining", [True, False])
def test_without_the_biases_of_keys_a_model_computes_the_same(pretraining):
    model = random_model(pretraining)
    weights = {n: w.clone() for n, w in model.state_dict().items()}
    assert layouts.key_bias(weights) > 0.3
    with_keys, without = scores(model, weights), scores(model, without_keys(weights))
    torch.testing.assert_close(with_keys, without, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [VideoMAEForPreTraining, VideoMAEForVideoClassification])
def test_transformers_folders_are_read(tmp_path, kind):
    pretraining = kind is VideoMAEForPreTraining
    names = {i: f"class {i}" for i in range(5)}
    more = {"use_mean_pooling": False} if pretraining else {"id2label": names}
    model = theirs(kind, SIZE, **more)
    model.save_pretrained(tmp_path / "theirs")
    done = convert(tmp_path / "theirs", tmp_path / "ours", SIZE)
    assert (done.source, done.pretraining) == ("transformers", pretraining)
    state = read(tmp_path / "ours" / "checkpoint.pt")
    assert equal(state["model"], translated(model.state_dict()))
    assert state["classes"] == ([] if pretraining else list(names.values()))


def test_transformers_4_named_biases_otherwise(tmp_path):
    model = theirs(VideoMAEForVideoClassification, SIZE, num_labels=5)
    old = {
        n.replace(".query.bias", ".q_bias").replace(".value.bias", ".v_bias"): w for n, w in model.state_dict().items()
    }
    torch.save(old, tmp_path / "pytorch_model.bin")
    convert(tmp_path, tmp_path / "ours", SIZE)
    assert equal(read(tmp_path / "ours" / "checkpoint.pt")["model"], translated(model.state_dict()))


@torch.no_grad()
def test_transformers_reads_what_we_write(tmp_path):
    ours = random_model(pretraining=False)
    write_trained(tmp_path / "checkpoint.pt", "align", SIZE, ours.state_dict(), classes=["a", "b", "c", "d", "e"])
    convert(tmp_path, tmp_path / "theirs", ModelParams(), write_as="transformers")
    model, said = VideoMAEForVideoClassification.from_pretrained(tmp_path / "theirs", output_loading_info=True)
    assert not said["missing_keys"] and not said["unexpected_keys"]
    model.fc_norm.eps = 1e-6  # transformers' own, whatever its configuration says
    torch.testing.assert_close(model.eval()(given(clips())).logits, ours(clips()), rtol=1e-5, atol=1e-5)
    assert model.config.id2label[3] == "d"


def image_transformer() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    vit = timm.models.VisionTransformer(img_size=48, patch_size=16, embed_dim=48, depth=3, num_heads=4, num_classes=7)
    return vit.state_dict()


@torch.no_grad()
def test_an_image_transformer_starts_a_trunk(tmp_path):
    image = image_transformer()
    save_file(image, tmp_path / "vit.safetensors")
    done = convert(tmp_path / "vit.safetensors", tmp_path / "ours", SIZE)
    assert done.source == "timm" and set(done.left_out) >= {"cls_token", "pos_embed", "norm.weight", "head.bias"}
    model = Classifier(SIZE, 2)
    start_from(model, read_trained(tmp_path / "ours", SIZE))
    assert torch.equal(model.encoder.blocks[2].attn.qkv.bias, image["blocks.2.attn.qkv.bias"])
    # Where nothing moves, a tubelet is embedded as the image's patch is.
    picture = torch.rand(1, 48, 48, 3)
    wanted = torch.nn.functional.conv2d(
        picture.permute(0, 3, 1, 2), image["patch_embed.proj.weight"], image["patch_embed.proj.bias"], 16
    )
    patch = picture[:, 16:32, 32:48].expand(2, 16, 16, 3).reshape(1, -1)
    torch.testing.assert_close(model.encoder.embed(patch)[0], wanted[0, :, 1, 2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("decoder.norm.bias"), r"lacks weight decoder\.norm\.bias"),
        (lambda w: w.pop("encoder.blocks.1.attn.q_bias"), r"lacks weight encoder\.blocks\.1\.attn\.q_bias"),
        (lambda w: w.update(gamma=torch.zeros(1)), "has the unknown weight gamma"),
        (lambda w: w.update(mask_token=torch.zeros(1, 1, 33)), "mask_token has the shape 1x1x33, not 1x1x32"),
        (lambda w: w.update({"mask_token": "zero"}), "mask_token holds no weights"),
    ],
)
def test_a_weight_that_does_not_fit_is_named(tmp_path, change, message):
    weights = official()
    change(weights)
    torch.save({"model": weights}, tmp_path / "theirs.pth")
    with pytest.raises(InputError, match=message):
        convert(tmp_path / "theirs.pth", tmp_path / "ours", SIZE)
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 96}, "whose width is 48, not 96"),
        ({"depth": 4}, "whose depth is 3, not 4"),
        ({"tubelet": 4}, "whose tubelet is 2, not 4"),
        ({"decoder_depth": 1}, "whose decoder_depth is 2, not 1"),
        ({"decoder_width": 64}, "whose decoder_width is 32, not 64"),
    ],
)
def test_another_size_is_refused_by_name(tmp_path, change, message):
    torch.save({"model": official()}, tmp_path / "theirs.pth")
    with pytest.raises(InputError, match=message):
        convert(tmp_path / "theirs.pth", tmp_path / "ours", replace(SIZE, **change))


def test_heads_are_checked_where_the_file_says_them(tmp_path):
    theirs(VideoMAEForVideoClassification, SIZE, num_labels=5).save_pretrained(tmp_path / "theirs")
    with pytest.raises(InputError, match="whose heads is 4, not 2"):
        convert(tmp_path / "theirs", tmp_path / "ours", replace(SIZE, heads=2))


def test_a_vit_g_is_refused_by_name(tmp_path):
    torch.save({"module": {"patch_embed.proj.weight": torch.zeros(1408, 3, 2, 14, 14)}}, tmp_path / "g.pth")
    with pytest.raises(InputError, match=r"ViT-g.*14"):
        convert(tmp_path / "g.pth", tmp_path / "ours", ModelParams())


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    torch.save({"model": official()}, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    save_file({"a": torch.zeros(9)}, tmp_path / "whole.safetensors")
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-9])
    (tmp_path / "empty").mkdir()
    for name, message in {
        "half.pth": "not a checkpoint",
        "half.safetensors": "not a checkpoint",
        "whole.safetensors": "no known format, such as a",
        "gone.pth": "there is no",
        "empty": "has no checkpoint.pt",
    }.items():
        with pytest.raises(InputError, match=message):
            convert(tmp_path / name, tmp_path / "ours", SIZE)
    with pytest.raises(InputError, match="not in the format timm; it looks like videomae"):
        convert(tmp_path / "whole.pth", tmp_path / "ours", SIZE, "timm")
    with pytest.raises(InputError, match="timm can only be read"):
        convert(tmp_path / "whole.pth", tmp_path / "ours", SIZE, write_as="timm")


@pytest.mark.parametrize("text", ['{"id2label": {"one": "walk"}}', "[1]"])
def test_a_configuration_of_another_form_is_refused(tmp_path, text):
    save_file({"videomae.layernorm.weight": torch.ones(2)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"cannot read .*config\.json"):
        convert(tmp_path, tmp_path / "ours", SIZE)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"model": official(), "args": Harm()}, tmp_path / "theirs.pth")
    with pytest.raises(InputError, match="not a checkpoint"):
        convert(tmp_path / "theirs.pth", tmp_path / "ours", SIZE)
    assert not (tmp_path / "harm").exists()


def test_residual_pixels_do_not_go_out(tmp_path):
    write(
        {"format": 1, "stage": "x", "size": {"pixels": "residual"}, "model": {"a": torch.zeros(1)}}, tmp_path / "a.pt"
    )
    with pytest.raises(InputError, match="residual"):
        convert(tmp_path / "a.pt", tmp_path / "b.pth", ModelParams())


def test_an_alignment_starts_from_a_converted_model(toys, tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, "off")
    torch.save({"model": official()}, tmp_path / "theirs.pth")
    convert(tmp_path / "theirs.pth", tmp_path / "ours", SIZE)
    done = align_set(toys, tmp_path / "ours", tmp_path / "aligned", replace(ALIGN, epochs=1), SIZE)
    assert done.figures["parent_stage"] == "convert"
    with pytest.raises(InputError, match="gone"):
        align_set(toys, tmp_path / "gone", tmp_path / "again", ALIGN, SIZE)


def test_what_a_test_has_taught_starts_no_training_by_way_of_converting(tmp_path):
    model = Classifier(SIZE, 2)
    write_trained(tmp_path / "checkpoint.pt", "evaluate", SIZE, model.state_dict(), classes=["a", "b"])
    convert(tmp_path, tmp_path / "again", SIZE, write_as="m2m")
    with pytest.raises(InputError, match="which no training starts from"):
        read_parent(tmp_path / "again", SIZE)


def test_the_command_says_what_it_did(tmp_path, capsys):
    torch.save({"model": official()}, tmp_path / "theirs.pth")
    size = {"depth": 3, "width": 48, "heads": 4, "decoder_depth": 2, "decoder_width": 32, "decoder_heads": 2}
    size |= {"frames": 4, "size": [48, 48]}
    (tmp_path / "size.yaml").write_text(json.dumps({"model": size}))
    profile = ["--profile", str(tmp_path / "size.yaml")]
    assert main(["model", "convert", str(tmp_path / "theirs.pth"), str(tmp_path / "ours"), *profile]) == 0
    assert capsys.readouterr().out.startswith("videomae, videomae 3 x 48, decoder 2 x 32: ")
    assert main(["model", "convert", str(tmp_path / "ours"), str(tmp_path / "hf"), "--to", "transformers"]) == 0
    assert len(load_file(tmp_path / "hf" / "model.safetensors")) > 50
    assert main(["model", "convert", str(tmp_path / "theirs.pth"), str(tmp_path / "no")]) == 1
