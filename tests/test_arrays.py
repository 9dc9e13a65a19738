"""An npz from elsewhere runs no code and fills no memory."""

import io
import os
import zipfile

import numpy as np
import pytest

from m2m.arrays import read_arrays


def npz(path, **members: bytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def npy(array, shape=None, descr=None) -> bytes:
    file = io.BytesIO()
    header = {"shape": shape or array.shape, "fortran_order": False, "descr": descr or array.dtype.str}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + array.tobytes()


def test_what_was_saved_comes_back_in_order(tmp_path):
    a, b = np.arange(6.0).reshape(2, 3), np.array(["x", "yy"])
    np.savez_compressed(tmp_path / "a.npz", a=a, b=b)
    found = read_arrays(tmp_path / "a.npz", ("b", "a"))
    assert np.array_equal(found[0], b) and np.array_equal(found[1], a) and found[1].dtype == a.dtype
    with pytest.raises(KeyError):
        read_arrays(tmp_path / "a.npz", ("c",))


def test_a_bomb_is_refused_before_it_unpacks(tmp_path):
    bomb = npz(tmp_path / "a.npz", a=npy(np.zeros(1 << 22, np.uint8)))
    assert bomb.stat().st_size < 1 << 15
    with pytest.raises(ValueError, match=r"unpack to 4 MiB, 1 MiB"):
        read_arrays(bomb, ("a",), 1 << 20)
    # A shape that the file does not hold, though its announced size is small.
    for shape in ((1 << 62,), (1 << 40, 1 << 10), (1 << 33,)):
        with pytest.raises(ValueError):
            read_arrays(npz(tmp_path / "b.npz", a=npy(np.zeros(4), shape)), ("a",))


class Program:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_objects_are_refused_and_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", a=np.array([Program()], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_arrays(tmp_path / "a.npz", ("a",))
    assert not (tmp_path / "ran").exists()
