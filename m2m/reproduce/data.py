"""The data sets of an experiment: drawn, selected, augmented, of true plates, fetched or joined; a folder each."""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from m2m import shards
from m2m.checkout import checkout
from m2m.clips import MANIFEST, Clip, DatasetCard, data_hash, read_card, read_manifest, slug, write_card
from m2m.clips import write_manifest as write_rows
from m2m.datasets.place import place
from m2m.errors import InputError
from m2m.files import disk_errors, file_sha256
from m2m.params import section
from m2m.reproduce.graph import Node
from m2m.shards import new_folder
from m2m.store import data_store
from m2m.studio.dataset import TRUTH

DATASET, CLIPS = "dataset", "clips"
TRAIN = frozenset({"train", "training", ""})


def make_data(node: Node, out: Path, needs: Mapping[str, Path], root: Path, workers: int) -> None:
    """Makes a data set.

    Args:
        node: What is to be made.
        out: Its folder; the data set is `out/dataset`.
        needs: Folders of the nodes that it needs, by role.
        root: The reproduction, with the stores of shards and of what is done.
        workers: Processes.

    Raises:
        InputError: What is asked for cannot be made.
        InfrastructureError: The machine, a store or a model's package fails.
    """
    work, target = node.work, out / DATASET
    if node.kind == "draw":
        _draw(work["studio"], out, workers)
    elif node.kind == "select":
        _select(work, needs["data"] / DATASET, out, workers)
    elif node.kind == "augment":
        with _stores(root):
            _augment(work, needs["data"] / DATASET, out, workers)
    elif node.kind == "plates":
        _true_plates(needs["data"], target)
    elif node.kind == "fetch":
        _fetch(work, target)
    else:
        groups = work["groups"] or str(drawn_folder(needs["test"]) / CLIPS / "groups.csv")
        join(needs["data"] / DATASET, needs["test"] / DATASET, Path(groups), target)


def _draw(recipe: Mapping[str, Any], out: Path, workers: int) -> None:
    from m2m.datasets.ingest import ingest
    from m2m.datasets.params import IngestParams
    from m2m.params import build
    from m2m.studio import StudioParams, draw_dataset

    draw_dataset(out / CLIPS, build(StudioParams, dict(recipe), "studio"), workers=workers)
    listed = out / CLIPS / "clips.csv"
    source = listed if listed.is_file() else out / CLIPS
    ingest(str(source), out / DATASET, IngestParams(val_share=0), workers=workers, progress=False)
    if recipe.get("mannequins"):  # nobody is in it, and tables say so
        write_card(replace(read_card(out / DATASET), variant="synthetic", private=True), out / DATASET)


def _select(work: Mapping[str, Any], source: Path, out: Path, workers: int) -> None:
    from m2m.curate.dataset import curate

    with tempfile.TemporaryDirectory(prefix="m2m-") as scratch:
        values = dict(work["curate"])
        if work["labels"]:
            values["list"] = str(Path(scratch) / "classes.txt")
            Path(values["list"]).write_text("".join(f"{label}\n" for label in work["labels"]), encoding="utf-8")
        curate(source, out / DATASET, section("curate", values), workers=workers, progress=False)


def _augment(work: Mapping[str, Any], source: Path, out: Path, workers: int) -> None:
    """The stages as a pipeline has them: what variants share is in the work store and is done once."""
    from m2m.audit import audit_shard
    from m2m.audit.gate import HELD
    from m2m.audit.rows import AUDIT
    from m2m.augment import stages
    from m2m.merge import merge

    params = section("augment", work["augment"])
    with tempfile.TemporaryDirectory(prefix="m2m-", dir=out) as scratch:
        at = Path(scratch)
        manifest = at / "manifest"
        shards.push(source, data_store(), manifest, 1)
        people, plates, bodies, composed = (at / word for word in ("people", "plates", "bodies", "composed"))
        (shard,) = shards.shard_ids(manifest)
        stages.detect_shard(manifest, shard, people, params, workers=workers)
        stages.inpaint_shard(manifest, people, shard, plates, params, workers=workers)
        stages.recover_shard(manifest, people, shard, bodies, params, workers=workers)
        stages.compose_shard(manifest, plates, bodies, shard, composed, params, workers=workers)
        audited = at / "audited"
        kept = {"plates": plates, "people": people, "bodies": bodies, "made_with": params, "workers": workers}
        audit_shard(manifest, composed, shard, audited, section("audit", work["audit"]), **kept)
        card = merge([audited], manifest, at / "merged", params, 1)
        if not card.clips:
            raise InputError(f"no clip of {source} was released", "look at the quarantined ones with m2m augment")
        with checkout(at / "merged") as folder, new_folder(out / DATASET) as building:
            for path in sorted(folder.iterdir()):
                path.rename(building / path.name)
            for name in (AUDIT, HELD):  # beside what they are about
                shutil.copy(at / "merged" / name, building / name)


def _true_plates(source: Path, out: Path) -> None:
    """The true backgrounds of the clips that a data set has."""
    from m2m.video import VideoParams, Writer, probe, read

    drawn = drawn_folder(source)
    truth = truth_of(drawn)
    parent = read_card(source / DATASET)
    rows = []
    with new_folder(out) as building:
        for clip in read_manifest(source / DATASET / MANIFEST):
            if clip.status != "ok":
                continue
            if clip.clip_id not in truth:
                raise InputError(f"{drawn} has no truth of the clip {clip.clip_id}", "draw the data set again")
            path = building / "videos" / f"{clip.clip_id}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            known = truth[clip.clip_id]
            still, moving = known.with_suffix(".png"), known.with_suffix(".mkv")
            size, rate = (clip.width, clip.height), probe(source / DATASET / clip.path).fps
            with Writer(path, size, rate, VideoParams()) as writer:
                if still.is_file():
                    picture = np.asarray(cv2.imread(str(still)))[..., ::-1]
                    for _ in range(clip.n_frames):
                        writer.write(picture)
                else:
                    for frame in read(moving):
                        writer.write(frame.image)
            rows.append(replace(clip, path=f"videos/{path.name}", sha256=file_sha256(path)))
        _write(building, rows, replace(parent, name=f"{parent.name}-plates", variant="no_human", private=True), parent)


def _fetch(work: Mapping[str, Any], out: Path) -> None:
    if "wanted" in work:
        advice = f"name it in a file for --data, as {{data: {{{work['name']}: {{published: HASH}}}}}}"
        raise InputError(f"the data set {work['name']} is yours to bring: {work['wanted']}", advice)
    if "folder" in work:
        folder = Path(work["folder"])
        read_card(folder)
        with disk_errors(out.parent):
            out.unlink(missing_ok=True)
            out.symlink_to(folder.absolute(), target_is_directory=True)
        return
    with tempfile.TemporaryDirectory(prefix="m2m-", dir=out.parent) as scratch:
        place_ = work.get("published") or _pulled(work["repository"], work["version"], Path(scratch))
        with checkout(place_) as folder, new_folder(out) as building:
            for path in sorted(folder.iterdir()):
                path.rename(building / path.name)


def _pulled(repository: str, version: str, scratch: Path) -> Path:
    """The packed folder of a registered version.

    Raises:
        InputError: The repository or the tag is not there, or the tag holds no data set.
        InfrastructureError: git or dvc is not installed, or the data cannot be fetched.
    """
    from m2m.repository import failure, run

    clone = scratch / "clone"
    done = run("git", "clone", "--quiet", "--depth", "1", "--branch", version, "--", repository, str(clone))
    if done.returncode:
        raise failure(done, f"{repository} has no version {version}", "m2m register says which tag it made")
    entries = sorted((clone / "data").glob("*.dvc"))
    own = [path for path in entries if version.startswith(f"{path.stem}-")] or entries
    if not own:
        raise InputError(f"version {version} of {repository} holds no data set", "name a tag that m2m register made")
    done = run("dvc", "pull", "--quiet", str(own[0].relative_to(clone)), cwd=clone)
    if done.returncode:
        raise failure(
            done, f"version {version} of {repository} cannot be pulled", "check the DVC remote and its rights"
        )
    return own[0].with_suffix("")


def join(train: Path, test: Path, groups: Path, out: Path) -> None:
    """A data set that is trained on one and tested on some clips of another.

    Args:
        train: The data set whose training clips are taken.
        test: The data set that has the test's clips.
        groups: A csv of `path,label,group`: the test's clips and the group of each; a path is that of the video as the
            data set was made of it, or its clip's id.
        out: The folder; with `groups.json`, the clip ids of each group.

    Raises:
        InputError: The list is none, names clips that are not there, or classes that are not trained on.
    """
    wanted = read_groups(groups)
    rows = {clip.clip_id: clip for clip in read_manifest(test / MANIFEST) if clip.status == "ok"}
    found: dict[str, list[str]] = {}
    for path, label, group in wanted:
        name = next((name for name in clip_names(path) if name in rows), None)
        if name is None:
            raise InputError(f"{groups} names {path}, which {test} does not hold", "name clips of the data set's own")
        if label and rows[name].label != label:
            raise InputError(f"{groups} says that {path} shows {label!r}, {test} that it shows {rows[name].label!r}")
        found.setdefault(group, []).append(name)
    names = [name for group in found.values() for name in group]
    if len(set(names)) < len(names):
        raise InputError(f"{groups} names a clip twice", "a clip is in one group")
    learnt = [clip for clip in read_manifest(train / MANIFEST) if clip.status == "ok" and clip.split in TRAIN]
    strange = sorted({rows[name].label for name in names} - {clip.label for clip in learnt})
    if strange:
        raise InputError(f"{groups} tests the class {strange[0]!r}, which {train} has no clip of")
    card = read_card(train)
    with new_folder(out) as building:
        made = [_taken(train, clip, "train", building) for clip in learnt]
        made += [_taken(test, rows[name], "val", building) for name in names]
        (building / "groups.json").write_text(json.dumps(found, indent=1, sort_keys=True), encoding="utf-8")
        _write(
            building, made, replace(card, name=f"{card.name}, tested on {read_card(test).name}", private=False), card
        )


def clip_names(path: str) -> tuple[str, ...]:
    """The ids that a clip of a list of groups may have: the path itself, or what becomes of one."""
    return path, slug(path), slug(str(Path(path).with_suffix("")))


def read_groups(path: Path) -> list[tuple[str, str, str]]:
    """A list of clips in groups: path, label, group.

    Raises:
        InputError: It is not there, has other columns, or a row without path or group.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the groups of {path}: {error}", "a csv of path,label,group") from error
    if not rows or not {"path", "group"} <= set(rows[0]):
        raise InputError(f"{path} is no list of groups", "its first line is path,label,group")
    made = [(str(r["path"] or ""), str(r.get("label") or ""), str(r["group"] or "")) for r in rows]
    bare = [i for i, (clip, _, group) in enumerate(made, 2) if not clip or not group]
    if bare:
        raise InputError(f"{path}, line {bare[0]}: a path or a group is missing")
    return made


def drawn_folder(folder: Path) -> Path:
    """The folder of the node that has drawn the clips of a data set, itself or those that it was made of."""
    while not (folder / CLIPS / TRUTH).is_dir():
        parent = folder / "of"
        if not parent.is_symlink():
            raise InputError(f"{folder} was not made of drawn clips")
        folder = parent.resolve()
    return folder


def truth_of(drawn: Path) -> dict[str, Path]:
    """The files of the truth (`m2m.studio.truth.write_truth`) by clip id, of a folder that drew clips."""
    folder = drawn / CLIPS / TRUTH
    return {slug(str(path.relative_to(folder).with_suffix(""))): path for path in sorted(folder.rglob("*.npz"))}


def _taken(source: Path, clip: Clip, split: str, out: Path) -> Clip:
    path = f"videos/{split}-{clip.clip_id}{Path(clip.path).suffix}"
    (out / "videos").mkdir(exist_ok=True)
    place((source / clip.path).resolve(), out / path)
    return replace(clip, clip_id=clip.clip_id if split == "val" else f"train-{clip.clip_id}", path=path, split=split)


def _write(folder: Path, rows: Sequence[Clip], card: DatasetCard, parent: DatasetCard) -> None:
    write_rows(rows, folder / MANIFEST)
    made = replace(card, parent=parent.hash, clips=len(rows), quarantined=0, hash=data_hash(rows))
    write_card(made, folder)


@contextmanager
def _stores(root: Path) -> Iterator[None]:
    """The stores of a reproduction, unless the environment names others."""
    own = {"M2M_STORE": str(root / "store"), "M2M_WORK": str(root / "work")}
    added = {name: value for name, value in own.items() if not os.environ.get(name)}
    for value in added.values():
        Path(value).mkdir(parents=True, exist_ok=True)
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
