"""E2FGVI in its authors' checkout, with random weights; without a checkout only what does not need one is tested."""

import logging
import os
import sys

import numpy as np
import pytest

from m2m.augment.inpaint import InpaintParams, make_inpainter
from m2m.augment.inpaint.params import E2FGVIParams
from m2m.augment.licences import licence_texts
from m2m.errors import InfrastructureError, InputError
from m2m.params import AugmentParams

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from m2m.augment.inpaint.e2fgvi import E2FGVI  # noqa: E402

HEIGHT, WIDTH = 50, 100  # padded to 60x108
TINY = {"neighbours": 2, "step": 2, "reference_stride": 3, "references": 9, "weights": "random", "device": "cpu"}


@pytest.fixture(scope="module")
def checkout():
    if not os.environ.get("M2M_E2FGVI"):
        pytest.skip("M2M_E2FGVI does not say where a checkout of E2FGVI is")


def livelier(network):
    """Other random weights: with its own initial values the network paints one grey, and moves no tap."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in network._model.named_parameters():
            if value.dim() > 1:
                torch.nn.init.xavier_normal_(value, 1.2)
            elif "norm" not in name:
                torch.nn.init.normal_(value, 0, 0.02)
    return network


@pytest.fixture(scope="module")
def hq(checkout):
    """An inpainter as the parameters make it, with livelier weights."""
    painter = make_inpainter(InpaintParams("e2fgvi-hq", guard=0, guard_frames=0, e2fgvi=E2FGVIParams(**TINY)))
    livelier(painter._network)
    return painter


@pytest.fixture(scope="module")
def scene():
    """Six frames of a texture that moves, and a block that moves otherwise."""
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(0, 256, (10, 22, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    frames = np.stack([texture[:HEIGHT, 2 * t : 2 * t + WIDTH] for t in range(6)])
    region = np.zeros(frames.shape[:3], bool)
    for t in range(6):
        region[t, 10:40, 10 + 9 * t : 40 + 9 * t] = True
    return frames, region


def released(model, frames, region):
    """What the authors' script does, written from its description: pads by mirrored copies, cuts, halves."""
    length, height, width = region.shape
    video = torch.from_numpy(frames).permute(0, 3, 1, 2)[None].float() / 255 * 2 - 1
    video = video * ~torch.from_numpy(region)[None, :, None]
    painted = [None] * length
    for f in range(0, length, 2):
        near = list(range(max(0, f - 2), min(length, f + 3)))
        far = [t for t in range(0, length, 3) if t not in near]
        seen = video[:, near + far]
        seen = torch.cat([seen, seen.flip(3)], 3)[:, :, :, :60]
        seen = torch.cat([seen, seen.flip(4)], 4)[:, :, :, :, :108]
        with torch.no_grad():
            out = model(seen, len(near))[0][:, :, :height, :width]
        out = (((out + 1) / 2).permute(0, 2, 3, 1).numpy() * 255)[: len(near)]
        for t, image in zip(near, out.astype(np.uint8), strict=True):
            whole = np.where(region[t, ..., None], image, frames[t])
            painted[t] = (
                whole if painted[t] is None else painted[t].astype(np.float32) * 0.5 + whole.astype(np.float32) * 0.5
            )
    return np.stack(painted).astype(np.uint8)


def test_the_plate_is_that_of_the_released_script(hq, scene, monkeypatch):
    frames, region = scene
    halving = E2FGVIParams(**TINY, blend="halving")
    monkeypatch.setattr(hq, "_params", InpaintParams("e2fgvi-hq", guard=0, guard_frames=0, e2fgvi=halving))
    plate = hq.fill(frames, region, region)
    want = released(hq._network._model, frames, region)
    assert plate.frames[region].std() > 10  # there is something to compare
    difference = plate.frames.astype(int) - want
    assert difference[~region].any() == 0
    # It cuts decimals off, twice; we round once.
    assert difference.min() >= -1 and difference.max() <= 2 and 0 < difference[region].mean() < 1.5


def test_fading_and_halving_are_of_the_same_passes(hq, scene):
    frames, region = scene
    plate = hq.fill(frames, region, region)
    again = hq.fill(frames, region, region)
    assert (plate.frames == again.frames).all() and (plate.frames == frames)[~region].all()
    other = frames.copy()
    other[region] = 255 - other[region]
    assert (hq.fill(other, region, region).frames[region] == plate.frames[region]).all()


def test_one_frame(hq, scene):
    frames, region = (a[:1] for a in scene)
    plate = hq.fill(frames, region, region)
    assert (plate.frames == frames)[~region].all() and (plate.frames != frames)[region].any()


def test_the_networks_are_the_published_ones(checkout, hq, caplog):
    """Numbers of weights as counted in the authors' code with the real mmcv's names."""
    with caplog.at_level(logging.WARNING):
        base = E2FGVI("e2fgvi", E2FGVIParams(weights="random", device="cpu"))
    assert "means nothing" in caplog.text
    for network, keys, millions in ((base, 243, 41.8), (hq._network, 244, 41.1)):
        state = network._model.state_dict()
        assert len(state) == keys
        assert sum(p.numel() for p in network._model.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
        assert "update_spynet.basic_module.0.basic_module.0.conv.weight" in state
        assert "feat_prop_module.deform_align.backward_.conv_offset.6.weight" in state
    assert not {"model", "mmcv", "model.modules.feat_prop"} & set(sys.modules)


def test_random_weights_are_seeded_and_leave_the_seed_alone(checkout, hq):
    state = torch.random.get_rng_state()
    a, b = (E2FGVI("e2fgvi-hq", E2FGVIParams(weights="random", device="cpu"))._model.state_dict() for _ in range(2))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_checkpoint_is_loaded_whole(hq, scene, tmp_path):
    file = tmp_path / "own.pth"
    torch.save(hq._network._model.state_dict(), file)
    network = E2FGVI("e2fgvi-hq", E2FGVIParams(weights=str(file), device="cpu"))
    assert all(torch.equal(v, network._model.state_dict()[k]) for k, v in hq._network._model.state_dict().items())
    with pytest.raises(InputError, match=r"lacks .* and has unknown .*E2FGVI-HQ-CVPR22.pth"):
        E2FGVI("e2fgvi", E2FGVIParams(weights=str(file), device="cpu"))


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    def make(**values):
        return make_inpainter(InpaintParams("e2fgvi", e2fgvi=E2FGVIParams(device="cpu", **values)))

    monkeypatch.delenv("M2M_E2FGVI", raising=False)
    with pytest.raises(InfrastructureError, match=r"M2M_E2FGVI.*git clone https://github.com/MCG-NKU/E2FGVI"):
        make(weights="random")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "e2fgvi.py").write_text("")
    (tmp_path / "COMMIT").write_text("0" * 40)
    monkeypatch.setenv("M2M_E2FGVI", str(tmp_path))
    with pytest.raises(InputError, match=r"at commit 000.*709cbe31"):
        make(weights="random")
    with pytest.raises(InputError, match="device is"):
        make_inpainter(InpaintParams("e2fgvi", e2fgvi=E2FGVIParams(device="tpu")))


def test_a_missing_checkpoint_is_named(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("M2M_WEIGHTS", str(tmp_path))
    with pytest.raises(InfrastructureError, match="m2m weights fetch e2fgvi-hq"):
        make_inpainter(InpaintParams("e2fgvi-hq", e2fgvi=E2FGVIParams(device="cpu")))
    with pytest.raises(InputError, match=r"no checkpoint at .*nowhere.pth"):
        make_inpainter(InpaintParams("e2fgvi", e2fgvi=E2FGVIParams(device="cpu", weights="/nowhere.pth")))


def test_an_output_that_is_no_number_is_refused(hq, scene, monkeypatch):
    frames, region = (a[:2] for a in scene)
    monkeypatch.setattr(hq._network, "_run", lambda x, n: torch.full((n, 3, 60, 108), float("nan")))
    with pytest.raises(InputError, match="not finite"):
        hq.fill(frames, region, region)


def test_the_base_model_has_one_size(checkout):
    painter = make_inpainter(InpaintParams("e2fgvi", e2fgvi=E2FGVIParams(**TINY)))
    mask = np.ones((2, 60, 108), bool)
    with pytest.raises(InputError, match=r"432x240 only, not at 108x60; set inpaint.backend to e2fgvi-hq"):
        painter.fill(np.zeros((2, 60, 108, 3), np.uint8), mask, mask)
    with pytest.raises(ValueError, match="e2fgvi-hq"):
        AugmentParams(size="640x360", inpaint=InpaintParams("e2fgvi"))


def test_the_licence_is_recorded():
    assert "E2FGVI-HQ and its weights (CC-BY-NC-4.0, non-commercial)" in licence_texts(
        AugmentParams(inpaint=InpaintParams("e2fgvi-hq"))
    )
    assert not any("E2FGVI" in name for name in licence_texts(AugmentParams()))
