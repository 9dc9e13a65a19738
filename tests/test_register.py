"""A version that was registered can be pulled, holds what may leave the house, and nothing else."""

import csv
import dataclasses
import json
import multiprocessing
import re
import shutil
from pathlib import Path

import pytest

from m2m import repository, shards, spool, tracking
from m2m.clips import Clip, DatasetCard, data_hash, file_sha256, read_card, read_manifest, write_card, write_manifest
from m2m.curate.dataset import curate
from m2m.curate.params import CurateParams
from m2m.errors import InfrastructureError, InputError
from m2m.register import RegisterParams, register, register_artifact
from m2m.release import release
from m2m.repository import Repository, create, run
from m2m.store import open_store

NAMES = ("R6llTwEh07w", "P001S05", "someone_waves")


def make(folder: Path, names=NAMES, variant="m2m", private=True, name="my_secret_folder") -> Path:
    """A working data set; its videos are a few bytes."""
    (folder / "videos").mkdir(parents=True)
    rows = []
    for clip_id in names:
        path = folder / "videos" / f"{clip_id}.mp4"
        path.write_bytes(f"video of {variant} {clip_id[::-1]}".encode())
        rows.append(Clip(clip_id, f"videos/{path.name}", "wave", "train", file_sha256(path), 432, 240, 30, 1, 90))
    rows.append(Clip("bad_P9", "", "wave", "train", "", 432, 240, 30, 1, 90, "quarantined", "verifier"))
    write_manifest(rows, folder / "clips.parquet")
    card = DatasetCard(
        name, variant, private, {"size": "432x240"}, "1", ("CC0",), "f" * 64, len(names), 1, data_hash(rows)
    )
    write_card(card, folder)
    return folder


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("M2M_STORE", "M2M_WORK", "M2M_PIPELINE_RUN", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dataset(tmp_path):
    return make(tmp_path / "dataset")


@pytest.fixture
def selection(tmp_path):
    """What `m2m curate` makes of the originals: the subset, its selection and its data sheet."""
    originals = make(tmp_path / "originals", variant="real", private=False, name="kinetics")
    (tmp_path / "list.txt").write_text("wave\n")
    params = CurateParams(method="list", list=str(tmp_path / "list.txt"))
    curate(originals, tmp_path / "selection", params, progress=False)
    return tmp_path / "selection"


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A repository without a version; making one takes DVC seconds, so tests copy it."""
    folder = tmp_path_factory.mktemp("blank")
    create(folder / "versions.git", str(folder / "remote"))
    return folder


@pytest.fixture
def place(blank, tmp_path):
    """A repository and its remote, `versions.git` and `remote`, in a folder of their own."""
    point(blank / "versions.git", tmp_path / "versions.git", str(tmp_path / "remote"))
    return tmp_path


def point(source: Path, target: Path, remote: str, more: str = "") -> None:
    """Copies a bare repository and points its DVC remote elsewhere."""
    work = target.with_suffix(".work")
    git("clone", "-q", str(source), str(work))
    config = work / ".dvc" / "config"
    text = re.sub(r"url = .*", f"url = {remote}\n{more}", config.read_text())
    config.write_text(text)
    git("commit", "-q", "-a", "-m", "Move", cwd=work)
    git("clone", "-q", "--bare", str(work), str(target))
    shutil.rmtree(work)


def git(*args: str, cwd: Path | None = None) -> str:
    done = run("git", *args, cwd=cwd)
    assert not done.returncode, done.stderr
    return done.stdout


def log(repository: Path) -> list[str]:
    """Subjects of the commits, newest first."""
    return git("log", "--format=%s", "main", cwd=repository).splitlines()


def pull(repository: Path, tag: str, out: Path) -> Path:
    """What anybody gets: a fresh clone of a tag, and its data."""
    git("clone", "-q", "--branch", tag, str(repository), str(out))
    done = run("dvc", "pull", "-q", cwd=out)
    assert not done.returncode, done.stderr
    return out / "data"


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def params(place: Path, **values) -> RegisterParams:
    return RegisterParams(**{"repository": str(place / "versions.git"), "shards": 2, **values})


def test_a_pulled_tag_has_the_bytes_of_the_released_form_and_no_secret(dataset, place):
    version = register(dataset, params(place))
    release(dataset, place / "released")  # with the key that register has made
    shards.pack(place / "released", place / "packed", 2)
    pulled = pull(place / "versions.git", version.tag, place / "clone")
    assert contents(pulled / "m2m") == contents(place / "packed")
    assert [p.name for p in (pulled / "m2m" / "shards").iterdir()]
    assert version.revision == git("rev-parse", version.tag, cwd=place / "versions.git").strip()
    assert f"md5: {version.md5}\n" in (pulled / "m2m.dvc").read_text()
    everything = b"".join(contents(place / "remote").values()) + git("log", "-p", cwd=place / "versions.git").encode()
    for secret in (*NAMES, "my_secret_folder", "bad_P9", "f" * 64):
        assert secret.encode() not in everything
    assert version.tags["m2m.dvc.md5"] == version.md5


def test_the_same_data_are_the_same_version_and_new_data_leave_the_old_one_alone(dataset, place):
    first = register(dataset, params(place, shards=64))
    assert register(dataset, params(place, shards=64)) == first
    assert len(log(place / "versions.git")) == 3  # made, moved, registered once
    before = set(contents(place / "remote"))
    more = make(place / "more", (*NAMES, "another"))
    shutil.copytree(dataset / ".m2m", more / ".m2m")
    second = register(more, params(place, shards=64))
    assert second.md5 != first.md5 and second.tag != first.tag
    new = set(contents(place / "remote")) - before
    assert len(new) == 5, "one shard, manifest, card, list of shards and the folder itself"
    old = pull(place / "versions.git", first.tag, place / "old") / "m2m"
    assert len(read_manifest(old / "clips.parquet")) == 3 and read_card(old).clips == 3


def test_who_comes_late_registers_on_top_of_the_other(place, selection):
    late = Repository(str(place / "versions.git"), place / "late")
    shutil.copytree(selection, late.place("late"))
    first = register(selection, params(place))
    second = late.publish("late", "late: by hand")
    assert log(place / "versions.git")[:2] == [
        "late: by hand",
        "kinetics-1: real, 3 clips, data " + hash12(selection),
    ]
    assert git("rev-parse", f"{second.revision}~1", cwd=place / "versions.git").strip() == first.revision
    assert {p.name for p in pull(place / "versions.git", second.tag, place / "clone").iterdir()} >= {
        "late",
        "kinetics-1",
    }


def hash12(dataset: Path) -> str:
    return read_card(dataset).hash[:12]


def _register(dataset: Path, values: RegisterParams, start, found) -> None:
    start.wait()
    found.put(register(dataset, values))


@pytest.mark.slow
def test_two_at_once_both_land(place, selection):
    # A repository that is slow to receive, so that both have cloned before either has pushed.
    hook = place / "versions.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nsleep 2\n")
    hook.chmod(0o755)
    context = multiprocessing.get_context("spawn")
    start, found = context.Barrier(2), context.Queue()
    values = [params(place, name=name) for name in ("one", "two")]
    both = [context.Process(target=_register, args=(selection, v, start, found)) for v in values]
    for process in both:
        process.start()
    versions = {v.name: v for v in (found.get(timeout=120), found.get(timeout=120))}
    for process in both:
        process.join()
    subjects = log(place / "versions.git")
    assert sorted(s.split(":")[0] for s in subjects[:2]) == ["one", "two"] and len(subjects) == 4
    assert len({v.revision for v in versions.values()}) == 2
    last = git("rev-parse", "main", cwd=place / "versions.git").strip()
    assert last in {v.revision for v in versions.values()}
    assert git("ls-tree", "--name-only", "main", "data/", cwd=place / "versions.git").split() == [
        "data/.gitignore",
        "data/one.dvc",
        "data/two.dvc",
    ]


def test_a_manifest_folder_is_registered_from_the_data_store_with_the_key_of_the_work_store(dataset, place):
    store, work = open_store(place / "store"), open_store(place / "work")
    shards.push(dataset, store, place / "manifest", 3)
    with pytest.raises(InputError, match="no secret"):
        register(place / "manifest", params(place), store=store)
    with pytest.raises(InputError, match="M2M_STORE is not set"):
        register(place / "manifest", params(place), work=work)
    first = register(place / "manifest", params(place), store=store, work=work)
    assert register(place / "manifest", params(place), store=store, work=work) == first
    (place / "key").write_bytes(work.read("release.key"))
    release(dataset, place / "released", place / "key")
    assert {p.name for p in (place / "released" / "videos").iterdir()} == {
        Path(c.path).name
        for c in read_manifest(pull(place / "versions.git", first.tag, place / "c") / "m2m" / "clips.parquet")
    }


def test_a_selection_goes_without_its_videos(selection, place):
    version = register(selection, params(place))
    pulled = pull(place / "versions.git", version.tag, place / "clone") / "kinetics-1"
    own = {"clips.parquet", "dataset.json", "selection.json", "DATASHEET.md"}
    assert set(contents(pulled)) == {*own, "sources.csv"}
    for name in own - {"clips.parquet"}:
        assert (pulled / name).read_bytes() == (selection / name).read_bytes()
    assert read_manifest(pulled / "clips.parquet") == read_manifest(selection / "clips.parquet")
    with (pulled / "sources.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["clip_id"] for r in rows] == sorted(NAMES)
    assert rows[0]["sha256"] == file_sha256(selection / "videos" / f"{sorted(NAMES)[0]}.mp4")
    assert not any(b"video of" in data for data in contents(place / "remote").values())


def test_the_data_sheet_of_a_selection_comes_back_with_its_version(selection, place):
    """With the counts, licences, method, parent and hash of what is pulled beside it, and with no clip's name."""
    version = register(selection, params(place))
    pulled = pull(place / "versions.git", version.tag, place / "clone") / "kinetics-1"
    text, card = (pulled / "DATASHEET.md").read_text(), read_card(pulled)
    assert card.hash == data_hash(read_manifest(pulled / "clips.parquet"))
    assert f"- **Hash**: {card.hash}\n" in text and f"- **Selected from**: {card.parent}\n" in text
    assert "3 clips of 1 classes, out of 1; 1 quarantined (1 verifier)" in text
    assert "- **Licences**: CC0\n" in text and "- **Method**: list, code" in text and "seed 0" in text
    assert "| wave | 3 |" in text
    assert not [name for name in (*NAMES, "bad_P9") if name in text]


def test_raw_videos_go_to_a_private_remote_only(selection, place, tmp_path):
    with pytest.raises(InputError, match="storage is not marked private"):
        register(selection, params(place, raw=True))
    assert not (place / "remote").exists()
    git("clone", "-q", str(place / "versions.git"), str(tmp_path / "owner"))
    (tmp_path / "owner" / ".dvc" / "private-remotes").write_text("storage\n")
    git("add", ".dvc", cwd=tmp_path / "owner")
    git("commit", "-q", "-m", "Only we can read it", cwd=tmp_path / "owner")
    git("push", "-q", cwd=tmp_path / "owner")
    version = register(selection, params(place, raw=True))
    pulled = pull(place / "versions.git", version.tag, place / "clone") / "kinetics-1"
    shards.unpack(pulled, place / "unpacked")
    assert contents(place / "unpacked" / "videos") == contents(selection / "videos")
    assert {"sources.csv", "selection.json", "DATASHEET.md"} < set(contents(pulled))


@pytest.mark.parametrize("variant", ["real", "mesh_on_real"])
def test_what_shows_people_is_refused_before_anything_is_done(tmp_path, variant):
    folder = make(tmp_path / "d", variant=variant, private=False)
    with pytest.raises(InputError, match="shows the original people"):
        register(folder, params(tmp_path))
    (folder / "selection.json").write_text("{}")
    if variant == "mesh_on_real":
        with pytest.raises(InputError, match="shows the original people"):
            register(folder, params(tmp_path))


def test_raw_is_for_selections(dataset, tmp_path):
    with pytest.raises(InputError, match="raw is for selections"):
        register(dataset, params(tmp_path, raw=True))


def test_repositories_that_cannot_be_used_are_refused_with_the_reason(dataset, place):
    working = place / "working"
    git("clone", "-q", str(place / "versions.git"), str(working))
    plain = place / "plain.git"
    git("clone", "-q", "--bare", str(point_without_dvc(place)), str(plain))
    cases = {
        "": "no repository is named",
        str(place / "nowhere.git"): "cannot clone .*does not exist",
        str(working): "somebody's working copy",
        str(plain): "is no DVC repository",
    }
    for address, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            register(dataset, params(place, repository=address))
        assert caught.value.code == 1
    with pytest.raises(InputError, match="Remote branch other not found"):
        register(dataset, params(place, branch="other"))
    with pytest.raises(InputError, match="no DVC remote 'other'; its remotes: storage"):
        register(dataset, params(place, remote="other"))


def point_without_dvc(place: Path) -> Path:
    plain = place / "plain"
    plain.mkdir()
    git("init", "-q", cwd=plain)
    git("commit", "-q", "--allow-empty", "-m", "Nothing", cwd=plain)
    return plain


def test_a_repository_without_a_default_remote_is_refused(dataset, place):
    git("clone", "-q", str(place / "versions.git"), str(place / "owner"))
    config = place / "owner" / ".dvc" / "config"
    config.write_text(config.read_text().replace("remote = storage", ""))
    git("commit", "-q", "-a", "-m", "No default", cwd=place / "owner")
    git("push", "-q", cwd=place / "owner")
    with pytest.raises(InputError, match="no default DVC remote"):
        register(dataset, params(place))


def test_a_push_that_is_refused_says_what_the_server_said(selection, place):
    hook = place / "versions.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'error: only on Mondays' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(InputError, match=r"refuses the push: .*only on Mondays") as caught:
        register(selection, params(place))
    assert caught.value.code == 1


def test_what_cannot_be_reached_or_is_not_installed_is_the_machines_fault(dataset, place, monkeypatch):
    with pytest.raises(InfrastructureError, match="cannot clone") as caught:
        register(dataset, params(place, repository="http://user:secret@127.0.0.1:9/versions.git"))
    assert caught.value.code == 5
    assert "secret" not in str(caught.value)
    monkeypatch.setattr(repository.sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", str(Path(shutil.which("git")).parent))
    if shutil.which("dvc"):
        pytest.skip("dvc lies beside git")
    with pytest.raises(InfrastructureError, match="dvc is not installed; pip install"):
        register(dataset, params(place))


def test_versions_go_to_s3_and_come_back(selection, place, s3, monkeypatch):
    point(place / "versions.git", place / "on_s3.git", f"{s3.uri}/versions")
    values = params(place, repository=str(place / "on_s3.git"))
    version = register(selection, values)
    pulled = pull(place / "on_s3.git", version.tag, place / "clone") / "kinetics-1"
    assert (pulled / "selection.json").read_bytes() == (selection / "selection.json").read_bytes()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    (selection / "selection.json").write_text('{"selected": []}')
    with pytest.raises(InputError, match="cannot push kinetics-1 to the DVC remote storage"):
        register(selection, values)


def test_the_last_task_of_a_pipeline_says_what_it_registered_to_the_tracker_too(selection, place, monkeypatch):
    assert not register_artifact(selection, place / "none", RegisterParams()).registered
    assert json.loads((place / "none" / "version.json").read_text())["tag"] == ""
    monkeypatch.setattr(tracking, "_start_sender", lambda out, uri: None)
    done = register_artifact(selection, place / "out", params(place))
    assert done.registered and json.loads((place / "out" / "version.json").read_text()) == dataclasses.asdict(done)
    assert git("rev-parse", done.tag, cwd=place / "versions.git").strip() == done.revision
    (path,) = spool.pending(place / "out" / ".m2m" / "tracking")
    events = [event for event, _ in spool.read(path)]
    assert events[0]["tags"]["m2m.dvc.md5"] == done.md5 and events[0]["tags"]["m2m.dvc.revision"] == done.revision
    assert [e["hash"] for e in events if e["event"] == "dataset"] == [read_card(selection).hash]


def test_making_a_repository_twice_leaves_the_first(place):
    before = contents(place / "versions.git")
    create(place / "versions.git", "elsewhere")
    assert contents(place / "versions.git") == before
    (place / "mine").mkdir()
    (place / "mine" / "file").write_text("x")
    with pytest.raises(InputError, match="is no bare repository"):
        create(place / "mine", "remote")


def test_names_and_numbers_are_checked():
    with pytest.raises(ValueError, match="name is of letters"):
        RegisterParams(name="../up")
    with pytest.raises(ValueError, match="shards is 1"):
        RegisterParams(shards=0)
