"""The readers that are given broken bytes, each with a whole file of its kind."""

import json
import pickle
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from m2m import params, records, results, tars
from m2m.audit import decisions, rows
from m2m.audit.review import answers, key
from m2m.augment import checkpoint
from m2m.augment.bodies import Body, Camera, FrameBodies
from m2m.augment.detect import zoo
from m2m.augment.intermediates import (
    json_lines,
    painting_line,
    people_line,
    read_bodies,
    read_camera,
    read_paintings,
    read_people,
    write_bodies,
)
from m2m.augment.people import FramePeople, Person
from m2m.clips import Clip, DatasetCard, read_card, read_manifest, scan, write_card, write_manifest
from m2m.curate.select import ClassRow, Selection, read_selection, write_selection
from m2m.datasets.formats import diving48, hmdb51, kinetics, ucf101
from m2m.datasets.listed import read_lists
from m2m.datasets.official import load
from m2m.errors import InputError
from m2m.records import Record
from m2m.shards import Shard, read_shards, write_shards
from m2m.tombstone import leave, stop_if_purged
from m2m.train import checkpoints
from tests.fuzz.readers import Target

HASH = "a" * 64
CLIPS = [Clip(f"clip{i}", f"videos/clip{i}.mp4", "wave", "train", HASH, 96, 64, 30, 1, 5) for i in range(3)]
CARD = DatasetCard("set", "m2m", True, {"a": {"b": 1}}, "1", ("MIT",), HASH, 3, 0, HASH)
RECORD = Record("clip0", "print", "ok", outputs={"videos/clip0.mp4": HASH}, result={"clip": {"width": 96}})
ITEM = key.Item("0f", "doubtful", "clip0", HASH, {"faces": HASH}, {"kind": "face"})
KEY = key.Key("b" * 32, HASH, "1", 0, 3, 0, (ITEM,))
SELECTION = Selection("kmeans", {}, "embedded", "", 1.0, (2.0, 1.0), 0.5, 0.5, (ClassRow("wave", 3, True, "near"),))


def put(name: str, content: bytes | str) -> Callable[[Path], None]:
    """Writes a file of given content."""
    data = content if isinstance(content, bytes) else content.encode()

    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return make


def as_json(value: Any) -> str:
    return json.dumps(value, indent=1)


def _listed(folder: Path) -> None:
    put(CLIPS[0].path, "x")(folder)
    put("list.csv", f"path,label\n{CLIPS[0].path},a\n")(folder)


def _one_record(folder: Path) -> list[Record]:
    found = records.load(folder)
    records.keep([records.Item("clip0", "print", None)], folder, folder, True)
    return found


def _reviews(folder: Path) -> None:
    one = decisions.Decision("clip0", HASH, HASH, "nothing", (), "", "A", "2026-01-01T00:00:00Z", "r", "1", {})
    tally = decisions.Tally("r", "1", "A", 0, 3, 1, 1, 0, 1, 1, {"face": (1, 1)}, 0, 0, "a", "b")
    decisions.write_reviews(folder, decisions.Reviews(HASH, (tally,), (one,)))


def _answers(folder: Path) -> Any:
    return answers.read_saved(folder / "answers.json", lambda _: KEY, "A")


def _tar(folder: Path) -> None:
    (folder / "videos").mkdir(exist_ok=True)
    (folder / "videos" / "clip0.mp4").write_bytes(b"x" * 700)
    put("plain", json.dumps([asdict(c) for c in _packed(folder)]))(folder)


def _packed(folder: Path) -> list[Clip]:
    import hashlib

    clip = Clip("clip0", "videos/clip0.mp4", sha256=hashlib.sha256(b"x" * 700).hexdigest())
    return tars.write(folder / "00000.tar", folder, [clip], 0)


def _untar(folder: Path) -> None:
    clips = [Clip(**values) for values in json.loads((folder / "plain").read_bytes())]
    out = folder / "out"
    (out / "videos").mkdir(parents=True, exist_ok=True)
    for file in (out / "videos").iterdir():
        file.unlink()
    tars.read(folder / "00000.tar", clips, 1, out)


def _people(folder: Path) -> None:
    mask = np.zeros((64, 96), bool)
    mask[10:40, 20:50] = True
    person = Person(1, np.array([20, 10, 50, 40], np.float32), 0.9, mask, frozenset({"a"}), None)
    with json_lines(folder / "people.jsonl.gz") as write:
        for t in range(3):
            write({"window": 0, "context": False, **people_line(t, FramePeople((person,), mask))})
    with json_lines(folder / "paintings.jsonl.gz") as write:
        for t in range(3):
            write(painting_line(t, mask, 0.5, False, Fraction(t, 30)))


def _bodies(folder: Path) -> None:
    body = Body(1, np.zeros((55, 3), np.float32), np.zeros(3, np.float32))
    write_bodies(folder / "bodies.npz", [(0, FrameBodies((body,)))], Camera(500.0, 48.0, 32.0, 96, 64))


def _purged(folder: Path) -> None:
    try:
        stop_if_purged(folder)
    except InputError as error:
        assert "were purged" in error.what


def _zoo(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps({"model": {"a": np.zeros((2, 3), np.float32)}}))


ALL = (
    Target("clips.parquet", lambda f: write_manifest(CLIPS, f / "clips.parquet"),
           lambda f: read_manifest(f / "clips.parquet")),
    Target("list.csv", _listed, lambda f: scan(f / "list.csv")),
    Target("dataset.json", lambda f: write_card(CARD, f), read_card, True),
    Target("shards.json", lambda f: write_shards([Shard(0, HASH, 10, 3)], f), read_shards, True),
    Target("00000.tar", _tar, _untar),
    Target(f"records/{RECORD.key}.json", lambda f: records.save(RECORD, f), _one_record, True),
    Target(results.FILE, lambda f: results.write_results(f, "detect", 0, [RECORD], ["MIT"]) and None,
           lambda f: results.read_results(f, "detect"), True),
    Target("audit.json", lambda f: rows.write_audit(f, [rows.Row("a", HASH, {"file": rows.Check(True, {"n": 1})})], {}),
           rows.read_audit, True),
    Target(decisions.REVIEW, _reviews, lambda f: decisions.read_reviews(f, HASH), True),
    Target(f".m2m/review/{KEY.review}.json", lambda f: key.write_key(KEY, f),
           lambda f: key.read_key(KEY.review, f), True),
    Target("answers.json", put("answers.json", as_json({"schema": answers.SCHEMA, "review": KEY.review, "page": "1",
           "dataset": HASH, "reviewer": "A", "answers": [{"item": "0f", "verdict": "nothing"}]})), _answers, True),
    Target("selection.json", lambda f: write_selection(SELECTION, f / "selection.json"),
           lambda f: read_selection(f / "selection.json"), True),
    Target("PURGED.json", lambda f: leave(f, {"what": "videos", "when": "now", "dataset": HASH}), _purged, True),
    Target("params.yaml", put("params.yaml", "augment:\n  size: source\n  video: &v {crf: 20}\n  keep: [people]\n"),
           lambda f: params.load("augment", params=f / "params.yaml")),
    Target("set.yaml", put("set.yaml", "format: kinetics\nvideos: videos\nannotations: lists\n"),
           lambda f: load(f / "set.yaml")),
    Target("train.csv", put("train.csv", "label,youtube_id,time_start,time_end,split\nwave,aaaaaaaaaaa,1,11,train\n"),
           lambda f: kinetics.read(f, 1)),
    Target("train.json", put("train.json", as_json({"aaa": {"annotations": {"label": "wave", "segment": [1.0, 11.0]},
           "subset": "train"}})), lambda f: kinetics.read(f, 1), True),
    Target("Diving48_V2_train.json", lambda f: [put(n, as_json(v))(f) for n, v in DIVING.items()] and None,
           lambda f: diving48.read(f, 1), True),
    Target("wave_test_split1.txt", put("wave_test_split1.txt", "a.avi 1\nb.avi 2\n"), lambda f: hmdb51.read(f, 1)),
    Target("trainlist01.txt", lambda f: [put(n, v)(f) for n, v in UCF.items()] and None, lambda f: ucf101.read(f, 1)),
    Target("list/train.txt", put("list/train.txt", "wave/a.mp4 wave\n"), lambda f: read_lists(f / "list")),
    Target("checkpoint.pt", lambda f: checkpoints.write({"a": torch.zeros(3), "b": {"c": 1}}, f / "checkpoint.pt"),
           lambda f: checkpoints.read(f / "checkpoint.pt")),
    Target("weights.pth", lambda f: torch.save({"a": torch.zeros(3)}, f / "weights.pth"),
           lambda f: checkpoint.read_pytorch(f / "weights.pth")),
    Target("old.pth", lambda f: torch.save({"a": torch.zeros(3)}, f / "old.pth", _use_new_zipfile_serialization=False),
           lambda f: zoo.read_checkpoint(f / "old.pth")),
    Target("model.pkl", _zoo, lambda f: zoo.read_checkpoint(f / "model.pkl")),
    Target("people.jsonl.gz", _people, lambda f: list(read_people(f / "people.jsonl.gz"))),
    Target("paintings.jsonl.gz", _people, lambda f: list(read_paintings(f / "paintings.jsonl.gz"))),
    Target("bodies.npz", _bodies, lambda f: (read_bodies(f / "bodies.npz"), read_camera(f / "bodies.npz"))),
)  # fmt: skip
DIVING = {"Diving48_vocab.json": [["Back", "15som", "05Twis", "FREE"]]}
DIVING |= {f"Diving48_V2_{part}.json": [{"vid_name": "a", "label": 0}] for part in ("train", "test")}
UCF = {"classInd.txt": "1 Wave\n2 Run\n", "trainlist01.txt": "Wave/v_a.avi 1\n", "testlist01.txt": "Run/v_b.avi\n"}
TARGETS = {target.name: target for target in ALL}
"""All readers by the name of what they read."""
