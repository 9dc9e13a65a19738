"""The stand-ins for mmcv against values worked out by loops, and that nothing of them is left behind."""

import sys
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from m2m.augment.inpaint import mmcv_standins  # noqa: E402


def bilinear(image, y, x):
    """A value between pixels of (H, W); beyond the border is 0."""
    total = 0.0
    for j in (int(np.floor(y)), int(np.floor(y)) + 1):
        for i in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= j < image.shape[0] and 0 <= i < image.shape[1]:
                total += image[j, i] * (1 - abs(y - j)) * (1 - abs(x - i))
    return total


def by_hand(x, offset, mask, weight, bias, pad, groups):
    """Deformable convolution, version 2, as mmcv lays its inputs out: for each group and tap y, then x."""
    channels, height, width = x.shape
    out = np.zeros((len(weight), height, width))
    per, taps = channels // groups, weight.shape[2] * weight.shape[3]
    for o, j, i in np.ndindex(out.shape):
        for c in range(channels):
            g = c // per
            for tap in range(taps):
                dy, dx = offset[2 * (g * taps + tap) : 2 * (g * taps + tap) + 2, j, i]
                row, column = divmod(tap, weight.shape[3])
                value = bilinear(x[c], j - pad + row + dy, i - pad + column + dx)
                out[o, j, i] += weight[o, c, row, column] * mask[g * taps + tap, j, i] * value
    return out + bias[:, None, None]


def test_the_deformable_convolution():
    rng = np.random.default_rng(0)
    groups, channels, height, width = 2, 4, 4, 5
    x, offset = rng.normal(size=(channels, height, width)), rng.normal(0, 1.5, (2 * groups * 9, height, width))
    mask, weight, bias = (
        rng.random((groups * 9, height, width)),
        rng.normal(size=(3, channels, 3, 3)),
        rng.normal(size=3),
    )
    want = by_hand(x, offset, mask, weight, bias, 1, groups)
    t = [torch.from_numpy(v)[None] for v in (x, offset, mask)]
    w, b = torch.from_numpy(weight), torch.from_numpy(bias)
    got = mmcv_standins.modulated_deform_conv2d(*t, w, b, 1, 1, 1, 1, groups)
    np.testing.assert_allclose(got[0], want, atol=1e-10)
    module = mmcv_standins.ModulatedDeformConv2d(channels, 3, 3, padding=1, deform_groups=groups).double()
    module.load_state_dict({"weight": w, "bias": b})
    np.testing.assert_allclose(module(*t)[0].detach(), want, atol=1e-10)
    with pytest.raises(ValueError, match="do not fit"):
        mmcv_standins.modulated_deform_conv2d(*t, w, b, 1, 1, 1, 1, 1)


def test_without_offsets_it_is_a_convolution():
    module = mmcv_standins.ModulatedDeformConv2d(4, 6, 3, padding=1, deform_groups=2)
    x = torch.randn(1, 4, 5, 6)
    got = module(x, torch.zeros(1, 36, 5, 6), torch.ones(1, 18, 5, 6))
    want = torch.nn.functional.conv2d(x, module.weight, module.bias, padding=1)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
    assert module.bias.abs().max() == 0 and module.weight.abs().max() <= 1 / 6  # 1 / sqrt(4 * 9)


def test_a_convolution_and_its_activation():
    plain, active = (mmcv_standins.ConvModule(2, 3, 3, padding=1, act_cfg=a) for a in (None, {"type": "ReLU"}))
    assert sorted(plain.state_dict()) == ["conv.bias", "conv.weight"]
    active.load_state_dict(plain.state_dict())
    x = torch.randn(1, 2, 4, 4)
    assert plain(x).min() < 0
    torch.testing.assert_close(active(x), plain(x).clamp(min=0))
    with pytest.raises(NotImplementedError):
        mmcv_standins.ConvModule(2, 3, 3, norm_cfg={"type": "BN"})
    with pytest.raises(NotImplementedError):
        mmcv_standins.ConvModule(2, 3, 3, act_cfg={"type": "Swish"})


def test_constants():
    layer = torch.nn.Conv2d(2, 3, 1)
    mmcv_standins.constant_init(layer, 0.5, bias=2)
    assert (layer.weight == 0.5).all() and (layer.bias == 2).all()
    mmcv_standins.constant_init(torch.nn.Conv2d(2, 3, 1, bias=False), 0.5)
    mmcv_standins.constant_init(torch.nn.ReLU(), 0.5)


def test_nothing_stays_behind(monkeypatch):
    there = ModuleType("mmcv")
    monkeypatch.setitem(sys.modules, "mmcv", there)
    monkeypatch.delitem(sys.modules, "mmcv.ops", raising=False)
    with pytest.raises(ZeroDivisionError), mmcv_standins.standing_in():
        from mmcv.ops import modulated_deform_conv2d

        assert modulated_deform_conv2d is mmcv_standins.modulated_deform_conv2d
        _ = 1 / 0
    assert sys.modules["mmcv"] is there and "mmcv.ops" not in sys.modules and "mmcv.cnn" not in sys.modules
