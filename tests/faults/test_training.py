"""A training that runs out of disk keeps its last good checkpoint and goes on from it."""

import subprocess
from dataclasses import replace

import pytest

from m2m.errors import Exit, InfrastructureError
from m2m.files import file_sha256
from m2m.store import open_store
from m2m.train.checkpoints import NAME, read
from m2m.train.pretrain import pretrain
from tests.train.toysets import MODEL, PRETRAIN, make_set

SMALL = replace(MODEL, depth=1, width=16, decoder_width=16)
"""Of 0.6 MB a checkpoint: a disk of 1 MiB holds one."""


def test_no_space_left_while_saving(small_disk, tmp_path):
    toys = make_set(tmp_path / "toys")
    store = open_store(small_disk / "work")
    params = replace(PRETRAIN, epochs=3)
    with pytest.raises(InfrastructureError, match=r"No space left on device .*free some space") as caught:
        pretrain(toys, tmp_path / "out", params, SMALL, store=store)
    assert caught.value.code == Exit.INFRASTRUCTURE and str(small_disk) in caught.value.what
    (kept,) = (p for p in small_disk.rglob("*") if p.is_file())
    assert len(read(kept)["history"]) == 1
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert pretrain(toys, tmp_path / "out", params, SMALL, store=store).resumed == 1
    pretrain(toys, tmp_path / "straight", params, SMALL)
    assert file_sha256(tmp_path / "out" / NAME) == file_sha256(tmp_path / "straight" / NAME)
