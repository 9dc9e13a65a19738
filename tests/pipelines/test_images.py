"""Tags of images: the hash of what they hold, and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.images import NAMES, PAPER, image
from m2m.upstream import COMMIT, UPSTREAMS
from pipelines.images import BASE_FILE, address, content_tag

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """What images are made of, small, at a place of its own."""
    monkeypatch.delenv("M2M_BASE_IMAGE", raising=False)
    for name in ("docker", "requirements", "profiles", "experiments"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(".base", "upstream"))
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "m2m").mkdir()
    (tmp_path / "m2m" / "code.py").write_text("x = 1")
    return tmp_path


def tags(root: Path) -> dict[str, str]:
    content_tag.cache_clear()
    return {name: content_tag(name, root) for name in (*NAMES, *PAPER)}


def changed(root: Path, before: dict[str, str]) -> set[str]:
    return {name for name, tag in tags(root).items() if tag != before[name]}


def test_a_tag_changes_with_what_the_image_holds(checkout):
    before = tags(checkout)
    (checkout / "m2m" / "__pycache__").mkdir()
    (checkout / "m2m" / "__pycache__" / "code.pyc").write_bytes(b"1")
    (checkout / "README.md").write_text("other words")
    assert changed(checkout, before) == set()
    (checkout / "requirements" / "models.txt").write_text("other==1")
    assert changed(checkout, before) == {"detect", "inpaint", "recover", *PAPER}
    before = tags(checkout)
    (checkout / "requirements" / "all.txt").write_text("other==1")
    assert changed(checkout, before) == {"train"}
    before = tags(checkout)
    (checkout / "requirements" / "image-paper.txt").write_text("other==1")
    assert changed(checkout, before) == set(PAPER)
    before = tags(checkout)
    (checkout / "m2m" / "code.py").rename(checkout / "m2m" / "moved.py")
    assert changed(checkout, before) == {*NAMES, *PAPER}
    before = tags(checkout)
    (checkout / BASE_FILE).write_text("registry.example/python:3.11\n")
    assert changed(checkout, before) == {*NAMES, *PAPER}


def test_addresses():
    assert address(image("base"), "reg.example/team", "v3") == "reg.example/team/base:v3"
    assert address(image("base")) == f"m2m/base:{content_tag('base')}"
    with pytest.raises(ValueError, match="no image 'bas'"):
        image("bas")


def script(tmp_path: Path, docker: str, *arguments: str, **more: str) -> subprocess.CompletedProcess:
    """Runs the script with a docker client that is a few lines of shell."""
    client = tmp_path / "docker"
    client.write_text(f"#!/bin/sh\n{docker}\n")
    client.chmod(0o755)
    command = [sys.executable, ROOT / "scripts" / "images.py", *arguments]
    return subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", "DOCKER": str(client), **more}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("docker", "message"),
    [
        ("echo Cannot connect to the Docker daemon >&2; exit 1", "no Docker engine answers: Cannot connect"),
        ("[ $1 = version ] && echo 28.2.2 && exit 0; exit 1", "cannot build with BuildKit"),
        (
            "case $1 in version) echo 20.10;; image|pull) echo no such image >&2; exit 1;; esac",
            "there is no image gone:1",
        ),
        (
            "case $1 in version) echo 20.10;; image) [ $3 = gone:1 ];; "
            "build) echo No space left on device; exit 1;; esac",
            "the engine has no room for m2m/base:",
        ),
    ],
)
def test_what_an_engine_cannot_do_is_said(tmp_path, docker, message):
    noted = ROOT / BASE_FILE
    before = noted.read_bytes() if noted.exists() else None
    try:
        done = script(tmp_path, docker, "--base", "gone:1", "base")
    finally:
        noted.unlink(missing_ok=True)
        if before is not None:
            noted.write_bytes(before)
    assert done.returncode == 5
    assert message in done.stderr and "Traceback" not in done.stderr


def test_an_unknown_image_is_a_mistake_of_usage(tmp_path):
    done = script(tmp_path, "exit 1", "bas")
    assert done.returncode == 2 and "there is no image bas" in done.stderr


def test_an_image_with_code_of_others_wants_the_right_commit(tmp_path):
    theirs = UPSTREAMS["e2fgvi"]
    (tmp_path / "their code" / "model").mkdir(parents=True)
    (tmp_path / "their code" / "model" / "e2fgvi.py").touch()
    (tmp_path / "their code" / COMMIT).write_text("0123abcd")
    docker = "case $1 in version) echo 20.10;; image) [ $3 = here:1 ];; build) exit 1;; esac"
    noted = ROOT / BASE_FILE
    before = noted.read_bytes() if noted.exists() else None
    try:
        done = script(
            tmp_path, docker, "--base", "here:1", "inpaint-paper", **{theirs.variable: str(tmp_path / "their code")}
        )
    finally:
        noted.unlink(missing_ok=True)
        if before is not None:
            noted.write_bytes(before)
    assert done.returncode == 5 and "Traceback" not in done.stderr
    assert "at commit 0123abcd" in done.stderr and theirs.commit in done.stderr
