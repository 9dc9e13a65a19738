"""Versions in git and DVC: one that is registered is not pulled from under its users, one that was withdrawn goes."""

import json
import shutil

import pytest

from m2m.curate.dataset import curate
from m2m.curate.params import CurateParams
from m2m.errors import InputError
from m2m.register import RegisterParams, register
from m2m.repository import create
from m2m.repository import run as call
from tests.purge.made import everything, purge


def git(*args, cwd=None) -> str:
    done = call("git", *args, cwd=cwd)
    assert not done.returncode, done.stderr
    return done.stdout


def dvc(*args, cwd) -> str:
    done = call("dvc", *args, cwd=cwd)
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.fixture
def place(run, tmp_path):
    """A repository with the data set, and a selection of its originals with their videos; and a working copy."""
    bare, clone = tmp_path / "versions.git", tmp_path / "clone"
    create(bare, str(tmp_path / "remote"))
    git("clone", "-q", str(bare), str(clone))
    (clone / ".dvc" / "private-remotes").write_text("storage\n")
    git("add", "--all", cwd=clone)
    git("commit", "-q", "-m", "The remote is ours", cwd=clone)
    git("push", "-q", cwd=clone)
    (tmp_path / "list.txt").write_text("walk\n")
    curate(run.root / "real", tmp_path / "selection", CurateParams(method="list", list=str(tmp_path / "list.txt")))
    params = RegisterParams(str(bare), shards=2)
    run.m2m = register(run.root / "merged", params, store=run.store, work=run.work)
    run.raw = register(tmp_path / "selection", RegisterParams(str(bare), name="originals", shards=2, raw=True))
    git("pull", "-q", "--tags", cwd=clone)
    dvc("pull", "-q", cwd=clone)
    return tmp_path


def withdraw(place, version):
    """What the refusal tells the owner to do."""
    work = place / "owner"
    git("clone", "-q", str(place / "versions.git"), str(work))
    git("push", "-q", "origin", "--delete", version.tag, cwd=work)
    git("rm", "-q", f"data/{version.name}.dvc", cwd=work)
    git("commit", "-q", "-m", "Withdrawn", cwd=work)
    git("push", "-q", cwd=work)
    shutil.rmtree(work)


def objects(folder) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in (folder / "files" / "md5").rglob("*") if p.is_file()}


def test_a_registered_version_is_refused_by_its_tag_and_a_withdrawn_one_goes(run, place):
    remote, cache, clone = place / "remote", place / "clone" / ".dvc" / "cache", place / "clone"
    before = everything(run.work), everything(run.store), objects(remote), objects(cache)
    for address in (place / "versions.git", clone):
        with pytest.raises(InputError, match="git push origin --delete") as error:
            purge(run, repository=str(address))
        assert run.raw.tag in str(error.value) and "main" in str(error.value)
        assert run.m2m.tag not in str(error.value)
    assert (everything(run.work), everything(run.store), objects(remote), objects(cache)) == before

    withdraw(place, run.raw)
    with pytest.raises(InputError, match=r"HEAD of .*clone"):  # the copy has it checked out
        purge(run, repository=str(clone))
    git("pull", "-q", cwd=clone)
    raw = {f"files/md5/{run.raw.md5[:2]}/{run.raw.md5[2:]}"}
    listed = json.loads((remote / raw.copy().pop()).read_text())
    raw |= {f"files/md5/{entry['md5'][:2]}/{entry['md5'][2:]}" for entry in listed}
    proof = purge(run, repository=str(clone))
    for folder in (remote, cache):
        assert not objects(folder) & raw and objects(folder)
        assert {thing.key for thing in proof.things if thing.place == str(folder)} == raw
    originals = [path.read_bytes() for path in (run.root / "real" / "videos").iterdir()]
    for folder in (remote, cache):
        data = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert not any(original in data for original in originals)

    # The version that shows nobody is whole, in the remote and for whoever fetches it anew.
    fresh = place / "fresh"
    git("clone", "-q", "--branch", run.m2m.tag, str(place / "versions.git"), str(fresh))
    dvc("fetch", "-q", f"data/{run.m2m.name}.dvc", cwd=fresh)
    dvc("pull", "-q", f"data/{run.m2m.name}.dvc", cwd=fresh)
    assert "in sync" in dvc("status", "-c", f"data/{run.m2m.name}.dvc", cwd=fresh)
    assert any("checked out" in left.why for left in proof.remains)


def test_nothing_is_deleted_where_a_version_cannot_be_read(run, place):
    withdraw(place, run.raw)
    (place / "remote" / "files" / "md5" / run.m2m.md5[:2] / run.m2m.md5[2:]).unlink()
    before = everything(run.work), objects(place / "remote")
    with pytest.raises(InputError, match="nobody knows what it needs") as error:
        purge(run, repository=str(place / "versions.git"))
    assert run.m2m.tag in str(error.value)
    assert (everything(run.work), objects(place / "remote")) == before


def test_what_is_no_repository_is_refused(run, tmp_path):
    with pytest.raises(InputError, match="cannot clone"):
        purge(run, repository=str(tmp_path / "nowhere"))
    git("init", "-q", str(tmp_path / "plain"))
    with pytest.raises(InputError, match="no DVC repository"):
        purge(run, repository=str(tmp_path / "plain"))
