"""OSX's own network on random weights, where there is a checkout; loading of checkpoints without one."""

import os
import sys
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from torch import nn  # noqa: E402

from m2m.augment.recover import OSXParams  # noqa: E402
from m2m.augment.recover.osx import layers  # noqa: E402
from m2m.augment.recover.osx.checkout import GENERIC, its_modules  # noqa: E402
from m2m.augment.recover.osx.crop import HEIGHT, WIDTH, crop, window_of  # noqa: E402
from m2m.augment.recover.osx.network import OSXNetwork, load, parameters  # noqa: E402
from m2m.errors import InputError  # noqa: E402
from m2m.upstream import find_upstream  # noqa: E402

with_checkout = pytest.mark.skipif("M2M_OSX" not in os.environ, reason="M2M_OSX does not name a checkout of OSX")


@pytest.fixture(scope="module")
def network():
    return OSXNetwork(OSXParams(weights="random", device="cpu", batch=4))


@pytest.fixture(scope="module")
def crops():
    return [np.random.default_rng(i).uniform(0, 255, (HEIGHT, WIDTH, 3)).astype(np.float32) for i in range(4)]


@pytest.fixture(scope="module")
def estimates(network, crops):
    return network.estimate(crops)


def same(a, b, tolerance):
    for name in ("pose", "betas", "place"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=tolerance)


@with_checkout
@pytest.mark.slow
def test_it_says_poses_and_places(estimates):
    assert len(estimates) == 4
    for e in estimates:
        assert (e.pose.shape, e.betas.shape, e.place.shape) == ((55, 3), (10,), (3,))
        assert e.pose.dtype == np.float32 and np.isfinite(e.pose).all() and np.isfinite(e.place).all()
        assert np.linalg.norm(e.pose, axis=1).max() <= np.pi + 1e-4
        assert not e.pose[23:25].any() and e.pose[22].any() and e.pose[25:].any(1).all()
        assert 0 < e.place[2] < 5000 * 2.5 / np.sqrt(256 * 192)
    assert np.abs(estimates[0].pose - estimates[1].pose).max() > 1e-4, "people differ"


@with_checkout
@pytest.mark.slow
def test_a_crop_gives_the_same_alone_and_among_others(network, crops, estimates):
    [alone] = network.estimate(crops[1:2])
    same(alone, estimates[1], 1e-4)


@with_checkout
@pytest.mark.slow
def test_three_people_keep_their_own_rotations(network, crops, estimates):
    """OSX's code mixes people up where exactly three are looked at."""
    for one, other in zip(network.estimate(crops[:3]), estimates, strict=False):
        same(one, other, 1e-4)


@with_checkout
@pytest.mark.slow
def test_the_same_seed_and_crops_give_the_same_bytes(network, crops, estimates):
    [first, *_] = network.estimate(crops)
    np.testing.assert_array_equal(first.pose, estimates[0].pose)
    np.testing.assert_array_equal(first.place, estimates[0].place)


@with_checkout
@pytest.mark.slow
def test_nothing_of_the_checkout_is_left_behind(network):
    left = [name for name, m in sys.modules.items() if os.environ["M2M_OSX"] in str(getattr(m, "__file__", ""))]
    assert left == []
    assert not any(os.environ["M2M_OSX"] in place for place in sys.path)
    assert torch.distributions.MultivariateNormal.__init__.__module__ == "torch.distributions.multivariate_normal"
    assert torch.Tensor.cuda is torch._C.TensorBase.cuda


@with_checkout
@pytest.mark.slow
def test_the_released_names_are_the_networks(network):
    """A checkpoint as it is released: old names, a prefix, and parts that are never called."""
    state = network._network.state_dict()

    def old(key):
        for now, then in (
            ("encoder.", "backbone."),
            ("body_regressor.", "body_rotation_net."),
            ("hand_regressor.", "hand_rotation_net."),
        ):
            key = then + key.removeprefix(now) if key.startswith(now) else key
        return f"module.{key}"

    released = {old(k): v for k, v in state.items()}
    released["module.smplx_layer.betas"] = released["module.hand_decoder.backbone.conv1.weight"] = torch.zeros(1)
    assert parameters(released).keys() == state.keys()
    assert parameters({f"module.{k}": v for k, v in state.items()}).keys() == state.keys()


@with_checkout
def test_crops_are_those_of_osx():
    """Boxes and pictures against OSX's own `process_bbox` and `generate_patch_image`."""
    folder = find_upstream("osx")
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (240, 432, 3), np.uint8)
    with its_modules(folder):
        ply = ModuleType("plyfile")
        ply.PlyData = ply.PlyElement = None
        aside = sys.modules.get("plyfile")
        sys.modules["plyfile"] = ply
        sys.modules["common.utils.human_models"].smpl = None
        from common.utils.preprocessing import generate_patch_image, process_bbox

        sys.modules.pop("plyfile") if aside is None else sys.modules.update(plyfile=aside)
    for _ in range(50):
        x, y = rng.uniform(0, 430), rng.uniform(0, 238)
        box = np.array([x, y, min(x + rng.uniform(0, 200), 432), min(y + rng.uniform(0, 200), 240)])
        theirs = process_bbox([box[0], box[1], box[2] - box[0], box[3] - box[1]], 432, 240)
        ours = window_of(box, 432, 240)
        assert (theirs is None) == (ours is None)
        if theirs is None:
            continue
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
        patch = generate_patch_image(image.astype(np.float32), theirs, 1.0, 0.0, False, (512, 384))[0]
        # OpenCV samples at steps of a 32nd of a pixel: a matrix that differs in the last digit may take the next.
        apart = np.abs(crop(image, ours) - patch)
        assert apart.mean() < 0.5 and np.median(apart) < 1e-2


class Small(nn.Module):
    """With parts of OSX's names."""

    def __init__(self):
        super().__init__()
        self.encoder, self.body_regressor, self.box_net = nn.Linear(2, 3), nn.Linear(3, 1), nn.Linear(1, 1)


def released(network):
    names = {"encoder": "backbone", "body_regressor": "body_rotation_net", "box_net": "box_net"}
    state = {}
    for key, value in network.state_dict().items():
        part, rest = key.split(".", 1)
        state[f"module.{names[part]}.{rest}"] = value + 1
    return state


def test_a_checkpoint_is_loaded_strictly(tmp_path):
    network = Small()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    file = tmp_path / "osx_l.pth.tar"
    torch.save({"epoch": 3, "network": {**released(network), "module.smplx_layer.x": torch.zeros(2)}}, file)
    load(network, file)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, before[key] + 1)

    state = released(network)
    state.pop("module.backbone.bias")
    state["module.backbone.scale"] = torch.zeros(1)
    torch.save({"network": state}, file)
    message = r"lacks encoder\.bias and has unknown encoder\.scale; OSX's large model is osx_l"
    with pytest.raises(InputError, match=message):
        load(network, file)


def test_what_is_no_checkpoint_is_named(tmp_path):
    file = tmp_path / "osx_l.pth.tar"
    torch.save({"state_dict": {}}, file)
    with pytest.raises(InputError, match="has no `network`"):
        load(Small(), file)
    file.write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(InputError, match=r"osx_l\.pth\.tar is no checkpoint of PyTorch"):
        load(Small(), file)


def test_another_commit_is_refused(tmp_path, monkeypatch):
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / "OSX.py").write_text("")
    (tmp_path / "COMMIT").write_text("0" * 40)
    monkeypatch.setenv("M2M_OSX", str(tmp_path))
    with pytest.raises(InputError, match="at commit 0000"):
        OSXNetwork(OSXParams(weights="random", device="cpu"))


def test_modules_of_the_same_names_come_back(tmp_path):
    own = ModuleType("config")
    aside = {name: sys.modules.get(name) for name in GENERIC}
    sys.modules["config"] = own
    try:
        with its_modules(tmp_path):
            assert "config" not in sys.modules and "mmcv.cnn" in sys.modules
        assert sys.modules["config"] is own and "mmcv.cnn" not in sys.modules
    finally:
        sys.modules.pop("config")
        sys.modules.update({k: v for k, v in aside.items() if v is not None})


def test_groups_move_to_the_batch_and_back():
    from m2m.augment.recover.osx.stand_ins import _rearrange

    x = torch.arange(2 * 3 * 4 * 5).reshape(6, 4, 5)
    there = _rearrange(x, "(g k) b c -> k (g b) c", g=2, k=3)
    assert there.shape == (3, 8, 5)
    for g, k, b in ((0, 0, 0), (1, 2, 3), (1, 0, 2)):
        torch.testing.assert_close(there[k, g * 4 + b], x[g * 3 + k, b])
    torch.testing.assert_close(_rearrange(there, "k (g b) c -> (g k) b c", g=2, b=4), x)


@pytest.mark.skipif(not os.environ.get("M2M_MMCV"), reason="M2M_MMCV does not name a folder with mmcv 1.7.2")
def test_layers_are_those_of_mmcv(monkeypatch):
    monkeypatch.syspath_prepend(os.environ["M2M_MMCV"])
    from mmcv.cnn import ConvModule
    from mmcv.cnn.bricks import transformer as theirs

    torch.manual_seed(0)
    x, pos = torch.randn(7, 2, 16), torch.randn(7, 2, 16)
    pairs = [
        (theirs.FFN(16, 32, ffn_drop=0.1), layers.FFN(16, 32, 0.1), (x,)),
        (
            theirs.MultiheadAttention(16, 4, dropout=0.1),
            layers.MultiheadAttention(16, 4, 0.1),
            (x, x, x, None, pos, pos),
        ),
        (
            ConvModule(6, 16, 1, norm_cfg={"type": "GN", "num_groups": 4}, act_cfg=None),
            layers.ConvModule(6, 16, 1, norm_cfg={"type": "GN", "num_groups": 4}),
            (torch.randn(2, 6, 5, 4),),
        ),
    ]
    for theirs_one, ours, given in pairs:
        ours.load_state_dict(theirs_one.state_dict())
        torch.testing.assert_close(ours.eval()(*given), theirs_one.eval()(*given))
