"""`dvc repro` makes the data sets with the commands of the command line, and makes nothing twice."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from m2m import params
from m2m.cli import _parser
from m2m.clips import read_card, read_manifest
from m2m.repository import run
from m2m.shards import read_folder
from m2m.studio import StudioParams, draw_dataset

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def commands() -> list[str]:
    """All commands of dvc.yaml."""
    lists = [s["cmd"] if isinstance(s["cmd"], list) else [s["cmd"]] for s in STAGES.values()]
    return [command for some in lists for command in some]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_of_the_command_line(command):
    program, *arguments = (
        command.partition(" || ")[0].replace("${workers}", "1").replace("${register.shards}", "8").split()
    )
    assert program == "m2m"
    _parser().parse_args(arguments)  # exits where it does not know an argument


def test_stages_depend_on_sections_of_the_parameters_and_on_code_that_are_there():
    for name, stage in STAGES.items():
        for key in stage["params"]:
            assert key.partition(".")[0] in params.SECTIONS, f"{name}: {key}"
        for path in stage["deps"]:
            if path.startswith("m2m/"):
                assert (ROOT / path).exists(), f"{name}: {path}"


def test_only_the_packed_release_is_cached_or_pushed():
    for name, stage in STAGES.items():
        for out in stage["outs"]:
            options = next(iter(out.values())) if isinstance(out, dict) else {}
            if name != "pack":
                assert options["cache"] is False and options["push"] is False, f"{name}: {out}"


def dvc(repository: Path, *arguments: str) -> str:
    done = run("dvc", *arguments, cwd=repository)
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with this project's stages, code and parameters, and two drawn clips as its source."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "m2m", folder / "m2m", ignore=shutil.ignore_patterns("__pycache__", "studio", "report"))
    for name in ("profiles", ".dvc"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("cache", "tmp"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    small = {"ingest": {"val_share": 0.0}, "curate": {"classes": 2}, "gate": {"max_quarantined": 0.5}}
    (folder / "profiles" / "laptop.yaml").write_text(yaml.safe_dump(small))
    profile = yaml.safe_load((folder / "profiles" / "laptop.yaml").read_text())
    profile["curate"]["classes"] = 2  # a profile is laid over params.yaml
    (folder / "profiles" / "laptop.yaml").write_text(yaml.safe_dump(profile))
    draw_dataset(folder / "data" / "raw", StudioParams(2, 1, fps=8, seconds=1.5))
    assert not run("git", "init", "-q", cwd=folder).returncode
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    return folder


@pytest.mark.slow
def test_repro_makes_the_release_once_and_does_again_only_what_a_change_touches(repository):
    first = dvc(repository, "repro")
    assert all(f"Running stage '{name}'" in first for name in STAGES)
    selection = yaml.safe_load((repository / "data" / "curated" / "selection.json").read_text())
    assert sum(c["selected"] for c in selection["classes"]) == 2
    rows, card, shards = read_folder(repository / "data" / "packed")
    assert card.variant == "m2m" and 1 <= len(rows) <= 2 and shards
    assert card.name == "released"
    again = dvc(repository, "repro")
    assert "Running stage" not in again and "up to date" in again
    values = yaml.safe_load((repository / "params.yaml").read_text())
    values["register"]["shards"] = 1
    (repository / "params.yaml").write_text(yaml.safe_dump(values))
    changed = dvc(repository, "repro")
    assert [name for name in STAGES if f"Running stage '{name}'" in changed] == ["pack"]
    assert len(read_folder(repository / "data" / "packed")[2]) == 1
    # Only what may leave the house is in DVC's cache, from which it pushes.
    hashed = {p for p in (repository / ".dvc" / "cache").rglob("*") if p.is_file()}
    names = {c.clip_id for c in read_manifest(repository / "data" / "m2m" / "clips.parquet")}
    assert hashed and not any(name.encode() in path.read_bytes() for path in hashed for name in names)
    assert read_card(repository / "data" / "m2m").clips == len(rows)
    status = subprocess.run(["git", "status", "--short", "data"], cwd=repository, capture_output=True, text=True)
    assert not status.stdout, "data are not for git"
