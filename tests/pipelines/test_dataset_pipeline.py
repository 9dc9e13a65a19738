"""The data set pipeline on drawn clips: a broken clip, a clip more, another parameter of one stage."""

import json
import shutil
from pathlib import Path

import pytest

from m2m.checkout import checkout
from m2m.clips import MANIFEST, read_manifest
from m2m.store import DATA, WORK, open_store
from m2m.studio import StudioParams, draw_dataset
from pipelines.__main__ import main

STAGES = ("detect", "inpaint", "recover", "compose")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> list[Path]:
    """Four clips of two classes, 8 frames each."""
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "clips", StudioParams(2, 2, fps=8, seconds=1.0))


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs the pipeline on `source` with two shards; gives exit code, what was printed, what came out."""
    for name in (DATA, WORK, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str):
        output = tmp_path / "output.json"
        output.unlink(missing_ok=True)
        fixed = ["--source", str(tmp_path / "source"), "--root", str(tmp_path / "root"), "--output", str(output)]
        fixed += ["--set", "ingest.shards=2", "--set", "curate.classes=2", "--set", "gate.max_quarantined=0.5"]
        code = main(["run", "dataset", *fixed, *arguments])
        printed = capfd.readouterr()
        return code, printed.out + printed.err, json.loads(output.read_text()) if output.exists() else None

    return run


def records(root: Path) -> set[str]:
    return set(open_store(root / "work").keys("records/"))


@pytest.mark.slow
def test_only_what_changed_is_done_again_and_a_broken_clip_fails_at_the_gate(drawn, run, tmp_path, monkeypatch):
    source, root = tmp_path / "source", tmp_path / "root"
    for path in drawn[:3]:
        (source / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, source / path.parent.name)
    broken = source / drawn[0].parent.name / "broken.mp4"
    broken.write_bytes(drawn[0].read_bytes()[:300])

    # A clip that cannot be read: the others come through, the page is there, and the gate names it.
    code, text, output = run()
    assert code == 4, text
    assert "broken" in text and "unreadable" in text
    assert output is None
    (folder,) = (p for p in (root / "runs").iterdir() if p.is_dir())
    rows = {c.clip_id: c for c in read_manifest(folder / "merge" / "dataset" / MANIFEST)}
    assert len(rows) == 4
    assert sum(c.status == "ok" for c in rows.values()) >= 2
    assert "unreadable" in (folder / "describe" / "page").read_text()
    assert not (folder / "register").exists()
    first = records(root)

    # Without it the run passes, and nothing is done anew.
    broken.unlink()
    code, text, output = run()
    assert code == 0, text
    assert records(root) == first
    before = output["dataset"]
    assert {c.label for c in _published(output["originals"], root, monkeypatch)} == {p.parent.name for p in drawn}

    # One clip more, in a class that is there: what it needs is done, and nothing else.
    added = drawn[3]
    shutil.copy(added, source / added.parent.name)
    code, text, output = run()
    assert code == 0, text
    second = records(root)
    done = {json.loads(open_store(root / "work").read(key))["name"] for key in second - first}
    assert done == {f"{added.parent.name}__{added.stem}"}
    assert output["dataset"] != before

    # Another colour: bodies are drawn again and looked at again; nobody is searched for, painted out or recovered.
    code, text, output = run("--set", "augment.render.colour=[120, 160, 120]")
    assert code == 0, text
    released = [c for c in _published(output["dataset"], root, monkeypatch) if c.status == "ok"]
    third = records(root) - second
    assert len(third) in (2 * 4, 4 + len(released))
    for key in third:
        record = json.loads(open_store(root / "work").read(key))
        assert not any(path.startswith(("people/", "plates/", "bodies/")) for path in record["outputs"])


def _published(identity: str, root: Path, monkeypatch) -> list:
    monkeypatch.setenv(DATA, str(root / "store"))
    with checkout(identity) as folder:
        return read_manifest(folder / MANIFEST)


def test_mistakes_are_named_before_anything_runs(tmp_path, capfd):
    (tmp_path / "source").mkdir()
    fixed = ["run", "dataset", "--root", str(tmp_path / "root")]
    for arguments, message in (
        (["--source", str(tmp_path / "none")], "does not exist"),
        (["--source", str(tmp_path / "source"), "--set", "augment.colour=1"], "unknown key 'colour'"),
        (["--source", str(tmp_path / "source"), "--set", "augment.compose.variant=sepia"], "variant is one of"),
        (["--source", str(tmp_path / "source"), "--set", "model.depth=1"], "sections of this pipeline"),
        (["--source", str(tmp_path / "source"), "--set", "augment"], "is not SECTION.KEY=VALUE"),
        (["--source", str(tmp_path / "source"), "--workers", "0"], "--workers must be 1 or more"),
        (["--source", str(tmp_path / "source"), "--profile", "desktop"], "unknown profile"),
    ):
        assert main([*fixed, *arguments]) == 1
        assert message in capfd.readouterr().err
    fixed = ["run", "experiment", "--root", str(tmp_path / "root"), "--pretrain", "0" * 64]
    for arguments, message in (
        (["--test", "nothing"], "is not NAME=HASH"),
        (["--test", "a=" + "0" * 64, "--seeds", "one"], "--seeds is whole numbers"),
        (["--test", "a=" + "0" * 64, "--seeds", "0,-1"], "--seeds is whole numbers"),
        (["--test", "a=" + "0" * 64, "--protocols", "knn"], "--protocols is any of"),
    ):
        assert main([*fixed, *arguments]) == 1
        assert message in capfd.readouterr().err
    assert not (tmp_path / "root").exists()
