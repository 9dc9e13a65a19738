"""The adapter of timm's networks, tried on a small one with weights made here; users fetch the real ones."""

import cv2
import numpy as np
import pytest
import timm
import torch

from m2m.curate.clip_encoder import ClipEncoder, cached_weights
from m2m.curate.encoder import make_encoder
from m2m.curate.params import CurateParams
from m2m.errors import InputError
from tests.conftest import moving_blocks

MODEL = "test_vit"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.save(timm.create_model(MODEL).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def encoder(weights):
    return make_encoder(CurateParams(encoder="clip", model=MODEL, weights=str(weights), batch=3))


def test_a_frame_is_the_mean_of_its_patches_after_the_last_block_but_one(encoder, weights):
    """The same by hand: blocks one after the other, torchvision-like normalisation, no adapter."""
    frame = cv2.resize(moving_blocks(1, seed=4)[0], (160, 160), interpolation=cv2.INTER_CUBIC)
    net = timm.create_model(MODEL)
    net.load_state_dict(torch.load(weights))
    net.eval()
    config = timm.data.resolve_model_data_config(net)
    pixels = torch.from_numpy(frame.astype(np.float32).transpose(2, 0, 1) / 255)
    pixels = (pixels - torch.tensor(config["mean"])[:, None, None]) / torch.tensor(config["std"])[:, None, None]
    with torch.inference_mode():
        x = net._pos_embed(net.patch_embed(pixels[None]))
        for block in net.blocks[:-1]:
            x = block(x)
    assert encoder([frame], ["walk"])[0] == pytest.approx(x[0, 1:].mean(dim=0).numpy(), abs=1e-4)


def test_batches_do_not_show_and_frames_may_differ_in_size(encoder):
    frames = [moving_blocks(1, size, seed=i)[0] for i, size in enumerate([(96, 64), (64, 96), (400, 300)])]
    whole = encoder(frames, ["a", "b", "c"])
    assert whole.shape == (3, 64) and whole.dtype == np.float32 and np.isfinite(whole).all()
    for frame, vector in zip(frames, whole, strict=True):
        assert encoder([frame], [""])[0] == pytest.approx(vector, abs=1e-4)


def test_the_middle_of_the_picture_is_seen(encoder):
    frame = np.zeros((160, 320, 3), np.uint8)
    frame[:, :70] = 255  # cut away
    assert np.array_equal(encoder([frame], [""]), encoder([np.zeros_like(frame)], [""]))


def test_the_name_tells_the_weights(encoder, weights, tmp_path):
    net = timm.create_model(MODEL)
    torch.save(net.state_dict(), tmp_path / "other.pth")
    other = ClipEncoder(CurateParams(encoder="clip", model=MODEL, weights=str(tmp_path / "other.pth")))
    assert other.name != encoder.name and other.name.startswith(f"clip-1 {MODEL}")


def test_weights_that_are_not_there_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    clip = CurateParams(encoder="clip")
    with pytest.raises(InputError, match=r"hf download timm/vit_large_patch14_clip_336\.openai"):
        make_encoder(clip)
    with pytest.raises(InputError, match="timm has no weights for 'no_such'"):
        cached_weights("no_such")
    with pytest.raises(InputError, match="no weights at"):
        make_encoder(CurateParams(encoder="clip", model=MODEL, weights=str(tmp_path / "none.pth")))


def test_other_weights_models_and_devices_are_refused(weights, tmp_path):
    state = torch.load(weights)
    torch.save({k: v for k, v in state.items() if "blocks.3" not in k}, tmp_path / "cut.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for values, message in (
        ({"weights": str(tmp_path / "cut.pth")}, f"cannot be used as {MODEL} on auto: it has no blocks.3"),
        ({"weights": str(tmp_path / "text.pth")}, "cannot be used"),
        ({"weights": str(weights), "model": "test_vit2"}, "cannot be used as test_vit2"),
        ({"weights": str(weights), "model": "test_resnet"}, "no vision transformer"),
        ({"weights": str(weights), "device": "cuda:99"}, "on cuda:99"),
    ):
        with pytest.raises(InputError, match=message):
            ClipEncoder(CurateParams(encoder="clip", **{"model": MODEL, **values}))


def test_weights_in_the_cache_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--timm--vit_large_patch14_clip_336.openai"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("abc")
    file = repository / "snapshots/abc/open_clip_model.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    assert cached_weights("vit_large_patch14_clip_336.openai") == file
