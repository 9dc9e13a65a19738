"""SMPL-X's joints at rest out of made-up files with its keys and sizes."""

import numpy as np
import pytest

from m2m.augment.recover.osx.shape import read_rest_joints
from m2m.errors import InfrastructureError, InputError


def write(path, vertices=200, columns=20, without=(), seed=0):
    rng = np.random.default_rng(seed)
    arrays = {
        "J_regressor": rng.dirichlet(np.ones(vertices), 55),
        "v_template": rng.normal(0, 1, (vertices, 3)),
        "shapedirs": rng.normal(0, 0.1, (vertices, 3, columns)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{k: v for k, v in arrays.items() if k not in without})
    return arrays


@pytest.mark.parametrize("place", ["SMPLX_NEUTRAL.npz", "smplx/SMPLX_NEUTRAL.npz"])
def test_joints_follow_the_shape(tmp_path, place):
    model = write(tmp_path / place)
    shapes = read_rest_joints(str(tmp_path))
    betas = np.random.default_rng(1).normal(0, 1, (3, 10))
    for row, joints in zip(betas, shapes.of(betas), strict=True):
        vertices = model["v_template"] + (model["shapedirs"][..., :10] * row).sum(-1)
        np.testing.assert_allclose(joints, model["J_regressor"] @ vertices, atol=1e-9)


def test_the_real_class_agrees(tmp_path):
    """Against smplx.SMPLX itself, on the mannequin in a file of SMPL-X's form."""
    smplx = pytest.importorskip("smplx")
    import torch

    from tests.augment.body.test_smplx import write_model

    file = write_model(tmp_path / "SMPLX_NEUTRAL.npz")
    shapes = read_rest_joints(str(file))
    model = smplx.SMPLX(str(file), num_betas=10, use_pca=False, flat_hand_mean=True)
    betas = np.linspace(-1, 1, 10)
    theirs = model(betas=torch.as_tensor(betas[None], dtype=torch.float32)).joints[0, :55].detach().numpy()
    np.testing.assert_allclose(shapes.of(betas[None])[0], theirs, atol=1e-5)


def test_the_folder_of_weights_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("M2M_WEIGHTS", str(tmp_path))
    with pytest.raises(InfrastructureError, match=r"smplx_neutral.*smpl-x\.is\.tue\.mpg\.de"):
        read_rest_joints("")


def test_what_is_no_model_is_named(tmp_path):
    (tmp_path / "text.npz").write_text("no")
    with pytest.raises(InputError, match="not an npz"):
        read_rest_joints(str(tmp_path / "text.npz"))
    write(tmp_path / "part.npz", without=("shapedirs",))
    with pytest.raises(InputError, match=r"lacks shapedirs"):
        read_rest_joints(str(tmp_path / "part.npz"))
    write(tmp_path / "few.npz", columns=4)
    with pytest.raises(InputError, match=r"shapedirs \(200, 3, 4\)"):
        read_rest_joints(str(tmp_path / "few.npz"))
    with pytest.raises(InputError, match="no checkpoint at"):
        read_rest_joints(str(tmp_path / "none"))
