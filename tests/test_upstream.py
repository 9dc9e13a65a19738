"""Checkouts of others' code: found, at the right commit, and otherwise a clear word."""

import subprocess
import sys
from dataclasses import replace

import pytest

from m2m import upstream
from m2m.errors import InfrastructureError, InputError
from m2m.upstream import COMMIT, UPSTREAMS, find_upstream, importable


def git(folder, *command):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *command], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small repository that is taken for E2FGVI at its only commit."""
    folder = tmp_path / "theirs"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "e2fgvi.py").write_text("value = 7\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    commit = git(folder, "rev-parse", "HEAD")
    monkeypatch.setitem(UPSTREAMS, "e2fgvi", replace(UPSTREAMS["e2fgvi"], commit=commit))
    monkeypatch.setenv("M2M_E2FGVI", str(folder))
    return folder


def test_a_checkout_at_its_commit_is_found(checkout):
    assert find_upstream("e2fgvi") == checkout


def test_another_commit_is_named_with_the_way_back(checkout):
    (checkout / "new").touch()
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "two")
    with pytest.raises(InputError) as caught:
        find_upstream("e2fgvi")
    assert git(checkout, "rev-parse", "HEAD") in caught.value.what
    assert UPSTREAMS["e2fgvi"].commit in caught.value.next_step


def test_a_copy_without_git_says_its_commit_in_a_file(checkout, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    (copy / "model").mkdir(parents=True)
    (copy / "model" / "e2fgvi.py").touch()
    monkeypatch.setenv("M2M_E2FGVI", str(copy))
    with pytest.raises(InputError, match="commit unknown"):
        find_upstream("e2fgvi")
    (copy / COMMIT).write_text(UPSTREAMS["e2fgvi"].commit + "\n")
    assert find_upstream("e2fgvi") == copy


@pytest.mark.parametrize("name", UPSTREAMS)
def test_what_is_not_there_says_how_to_get_it(name, tmp_path):
    theirs = UPSTREAMS[name]
    for environment in ({}, {theirs.variable: str(tmp_path)}):
        with pytest.raises(InfrastructureError) as caught:
            find_upstream(name, environment)
        assert "git clone https://github.com/" in caught.value.next_step and theirs.licence in caught.value.next_step
        assert len(theirs.commit) == 40


def test_folders_can_be_imported_from_for_a_while(checkout):
    before = list(sys.path)
    with importable(checkout / "model"):
        import e2fgvi

        assert e2fgvi.value == 7
    del sys.modules["e2fgvi"]
    assert sys.path == before


def test_without_git_the_commit_is_unknown(checkout, monkeypatch):
    monkeypatch.setattr(upstream.shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="commit unknown"):
        find_upstream("e2fgvi")
