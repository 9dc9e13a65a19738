"""The real smplx package on a made-up model: the mannequin's mesh in a file with SMPL-X's keys."""

import builtins
import os

import numpy as np
import pytest

from m2m import weights
from m2m.augment.body import BodyParams, make_body
from m2m.errors import InfrastructureError, InputError


def write_model(path, without=()):
    """SMPL-X's keys with the mannequin's geometry; one extra vertex a joint makes the regressor exact."""
    doll = make_body(BodyParams())
    joints, count = 55, len(doll.rest_vertices)
    shift = np.array([0.1, -0.4, 0.05], np.float32)  # SMPL-X's origin is not its pelvis
    total = count + joints
    arrays = {
        "v_template": np.concatenate([doll.rest_vertices, doll.rest_joints]) + shift,
        "f": doll.faces.astype(np.uint32),
        "shapedirs": np.full((total, 3, 20), 0.01, np.float32),
        "posedirs": np.zeros((total, 3, 486), np.float32),
        "J_regressor": np.eye(joints, total, count, dtype=np.float32),
        "kintree_table": np.stack([doll.parents.astype(np.uint32), np.arange(joints, dtype=np.uint32)]),
        "weights": np.concatenate([doll.weights.toarray(), np.eye(joints, dtype=np.float32)]),
        "hands_componentsl": np.eye(45),
        "hands_componentsr": np.eye(45),
        "hands_meanl": np.full(45, 0.3),
        "hands_meanr": np.full(45, 0.3),
        "lmk_faces_idx": np.arange(51),
        "lmk_bary_coords": np.full((51, 3), 1 / 3),
    }
    np.savez(path, **{k: v for k, v in arrays.items() if k not in without})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("smplx")
    out = tmp_path_factory.mktemp("models")
    write_model(out / "SMPLX_NEUTRAL.npz")
    return out


@pytest.fixture(scope="module")
def body(folder):
    return make_body(BodyParams("smplx", "neutral", str(folder)))


def test_it_poses_as_the_mannequin_with_the_same_geometry(body):
    doll = make_body(BodyParams())
    pose = np.random.default_rng(0).normal(0, 0.5, (55, 3))
    transl = np.array([0.4, -0.1, 5.0])
    vertices = body.vertices(pose, transl)
    assert vertices.dtype == np.float32
    np.testing.assert_allclose(vertices[: len(doll.rest_vertices)], doll.vertices(pose, transl), atol=2e-5)
    np.testing.assert_allclose(vertices[len(doll.rest_vertices) :], body.joints(pose, transl), atol=2e-5)
    np.testing.assert_allclose(body.joints(pose, transl), doll.joints(pose, transl), atol=2e-5)


def test_its_parts_are_those_of_the_contract(body):
    doll = make_body(BodyParams())
    np.testing.assert_array_equal(body.parents, doll.parents)
    np.testing.assert_array_equal(body.faces, doll.faces)
    assert body.faces.dtype == np.int32 and body.rest_joints.dtype == np.float32
    np.testing.assert_allclose(body.rest_joints - body.rest_joints[0], doll.rest_joints, atol=1e-5)


def test_no_path_is_an_error_that_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("M2M_WEIGHTS", str(tmp_path))
    with pytest.raises(InfrastructureError, match=r"body\.smplx_path is not set.*smplx_neutral.*mannequin"):
        make_body(BodyParams("smplx"))


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_without_a_path_it_is_found_in_the_folder_of_weights(monkeypatch, tmp_path, gender):
    pytest.importorskip("smplx")
    write_model(tmp_path / f"SMPLX_{gender.upper()}.npz")
    monkeypatch.setenv("M2M_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match=f"licence .* was not accepted.*m2m weights accept smplx_{gender}"):
        make_body(BodyParams("smplx", gender))
    weights.act("accept", [f"smplx_{gender}"])
    body = make_body(BodyParams("smplx", gender))
    np.testing.assert_allclose(body.rest_joints - body.rest_joints[0], make_body(BodyParams()).rest_joints, atol=1e-5)


def test_a_missing_gender_is_an_error(folder):
    with pytest.raises(InputError, match="no SMPL-X model for gender male"):
        make_body(BodyParams("smplx", "male", str(folder)))


def test_a_file_that_is_no_npz_is_an_error(tmp_path):
    pytest.importorskip("smplx")
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    path.write_bytes(b"<html>please sign in</html>")
    with pytest.raises(InputError, match="is not an npz file"):
        make_body(BodyParams("smplx", smplx_path=str(path)))


def test_an_npz_that_is_no_body_names_what_it_lacks(tmp_path):
    pytest.importorskip("smplx")
    path = write_model(tmp_path / "SMPLX_NEUTRAL.npz", without=["posedirs", "hands_meanl"])
    with pytest.raises(InputError, match="lacks hands_meanl, posedirs"):
        make_body(BodyParams("smplx", smplx_path=str(path)))


class Program:
    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("key", ["joint2num", "posedirs"])
def test_a_pickle_in_a_body_model_does_not_run(tmp_path, monkeypatch, body, key):
    """The published files have some, and the package would unpickle them all."""
    monkeypatch.chdir(tmp_path)
    with np.load(write_model(tmp_path / "whole.npz")) as whole:
        arrays = {k: whole[k] for k in whole.files}
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **{**arrays, key: np.array([Program()], object)})
    if key in arrays:
        with pytest.raises(InputError, match=r"is not an SMPL-X model: .*allow_pickle"):
            make_body(BodyParams("smplx", smplx_path=str(tmp_path)))
    else:
        same = make_body(BodyParams("smplx", smplx_path=str(tmp_path)))
        assert np.array_equal(same.rest_joints, body.rest_joints)
    assert not (tmp_path / "ran").exists()


def test_a_body_of_another_skeleton_is_an_error(tmp_path):
    pytest.importorskip("smplx")
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    with np.load(write_model(tmp_path / "whole.npz")) as whole:
        arrays = {k: whole[k] for k in whole.files}
    arrays["weights"] = arrays["weights"][:, :24]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="is not an SMPL-X model"):
        make_body(BodyParams("smplx", smplx_path=str(path)))


def test_without_the_package_the_message_names_it(tmp_path, monkeypatch):
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, v_template=np.zeros(3))
    real = builtins.__import__

    def no_smplx(name, *args, **kwargs):
        if name == "smplx":
            raise ImportError("No module named 'smplx'", name="smplx")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_smplx)
    with pytest.raises(InfrastructureError, match=r"not installed: smplx.*m2m\[smplx\]"):
        make_body(BodyParams("smplx", smplx_path=str(path)))
