"""The stages one by one: the same bytes as the chain in memory, and nothing is done twice."""

import pickle
import shutil
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from m2m import video, work, workers
from m2m.augment import build
from m2m.augment.chain import Chain, Models
from m2m.augment.intermediates import read_people
from m2m.augment.stages import (
    StageSummary,
    augment_shard,
    compose,
    compose_shard,
    detect,
    detect_shard,
    inpaint,
    inpaint_shard,
    recover,
    recover_shard,
    rows_of,
)
from m2m.augment.steps import Painter as PainterStep
from m2m.augment.verify import Verifier
from m2m.clips import Clip, DatasetCard, data_hash, file_sha256, read_manifest, write_card, write_manifest
from m2m.errors import InfrastructureError, InputError
from m2m.params import load
from m2m.results import fetch_outputs, read_results
from m2m.shards import push
from m2m.store import blob_key, open_store
from m2m.studio import ClipSpec, draw_clip
from tests.augment.red_people import (
    STUBBORN,
    WALL,
    AllNumbers,
    Barcode,
    Looker,
    Mimic,
    Painter,
    Watcher,
    clip,
    inside,
    red,
    red_face,
    walking,
)

TOYS = {
    "size": "source",
    "window": {"core": 24, "context": 12},
    "region": {"outline": "dilate"},
    "video": {"preset": "ultrafast"},
}


def toy_params(**over):
    return load("augment", overrides={**TOYS, **over})


def corner(frames, value):
    frames[:, 0, 0] = value
    return frames


def toy_clips():
    empty, gone = clip(12), inside((60, 20, 80, 80))
    empty[:, red(empty[0])] = 77
    other = clip(14, 5)
    other[:, gone] = clip(1)[0][red(clip(1)[0])]
    return {
        "two_windows": walking(70),
        "two_shots": np.concatenate([walking(20), other]),
        "nobody": empty,
        "stubborn": corner(clip(16), STUBBORN),
        "wall": corner(clip(12), WALL),
        "uneven": walking(14),
    }


def write_video(path, frames, time_base=None):
    with video.Writer(path, frames.shape[2:0:-1], Fraction(30000, 1001), time_base=time_base, lossless=True) as writer:
        for t, frame in enumerate(frames):
            writer.write(frame, Fraction(t * t + 30 * t, 1000))


def pack(folder, store, rows):
    """A working data set of the videos in a folder, and its manifest folder."""
    ok = sum(c.status == "ok" for c in rows)
    write_card(DatasetCard("toys", "real", False, {}, "1", (), "", ok, len(rows) - ok, data_hash(rows)), folder)
    write_manifest(rows, folder / "clips.parquet")
    push(folder, open_store(store), folder.parent / "manifest", 1)
    return folder.parent / "manifest"


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """Manifest folder and data store of the toy clips, a broken file and a clip that was refused before."""
    root = tmp_path_factory.mktemp("toys")
    rows = []
    for name, frames in toy_clips().items():
        path = root / "set" / "videos" / f"{name}.mkv"
        write_video(path, frames, Fraction(1, 1000) if name == "uneven" else None)
        rows.append(Clip(name, f"videos/{name}.mkv", "walk", "train", file_sha256(path)))
    broken = root / "set" / "videos" / "broken.mkv"
    broken.write_bytes(b"\0" * 500)
    rows.append(Clip("broken", "videos/broken.mkv", "walk", "val", file_sha256(broken)))
    manifest = pack(root / "set", root / "store", rows)
    held = Clip("held", "", "walk", "val", status="quarantined", reason="curated", shard=0)
    write_manifest([*read_manifest(manifest / "clips.parquet"), held], manifest / "clips.parquet")
    whole = read_manifest(manifest / "clips.parquet")
    write_card(DatasetCard("toys", "real", False, {}, "1", (), "", 7, 1, data_hash(whole)), manifest)
    return manifest, root / "store"


@pytest.fixture(scope="module")
def lone(tmp_path_factory):
    """Manifest folder, data store and work store of one toy clip."""
    root = tmp_path_factory.mktemp("lone")
    path = root / "set" / "videos" / "one.mkv"
    write_video(path, walking(12))
    return pack(root / "set", root / "store", [Clip("one", "videos/one.mkv", "", "", file_sha256(path))]), root


@pytest.fixture
def here(monkeypatch):
    """All work is done in this process; a list of the items that were not found in the work store."""
    did = []

    def in_process(make_task, items, out, _, store=None):
        task = pickle.loads(pickle.dumps(make_task))() if items else None
        for item in items:
            did.append(item.name)
            record = workers._do(task, pickle.loads(pickle.dumps(item)), out, store)
            if isinstance(record, workers._Fatal):
                raise record.error
            yield record, 0.0
            assert not any((out / path).exists() for path in record.outputs), "the disk need not hold a shard"

    monkeypatch.setattr(work, "work", in_process)
    return did


@pytest.fixture
def done(monkeypatch, toys, tmp_path, here):
    """The same with toy models and a work store of the test's own."""
    monkeypatch.setenv("M2M_STORE", str(toys[1]))
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "work"))

    def verifier(params):
        return Verifier({"face": red_face}, {}, params.verify)

    def painter(params):
        return PainterStep(Painter(), verifier(params), build.chain_params(params))

    def chain(params):
        models = Models(Watcher(), Painter(), Mimic(), AllNumbers(), Barcode(), verifier(params))
        return Chain(models, build.chain_params(params))

    monkeypatch.setattr(detect, "make_detector", lambda _: Watcher())
    monkeypatch.setattr(inpaint, "make_painter", painter)
    monkeypatch.setattr(recover, "make_recoverer", lambda *_: Mimic())
    monkeypatch.setattr(compose, "make_body", lambda _: AllNumbers())
    monkeypatch.setattr(compose, "make_renderer", lambda _: Barcode())
    monkeypatch.setattr(build, "make_chain", chain)
    return here


class Staged:
    """Runs the stages and tells what each had to do."""

    def __init__(self, manifest, root, params, did):
        self.manifest, self.root, self.params, self.did = manifest, root, params, did

    def run(self, stage, *before):
        self.did.clear()
        function = {"detect": detect_shard, "inpaint": inpaint_shard, "recover": recover_shard}.get(
            stage, compose_shard
        )
        made = function(self.manifest, *(self.root / b for b in before), 0, self.root / stage, self.params)
        return made, sorted(self.did)

    def all(self):
        return {
            "detect": self.run("detect"),
            "inpaint": self.run("inpaint", "detect"),
            "recover": self.run("recover", "detect"),
            "compose": self.run("compose", "inpaint", "recover"),
        }


def judged(folder):
    """All of the results but the times; and without fingerprints, which name the way they came about."""
    records = {}
    for r in read_results(folder, "compose").records:
        result = dict(r.result)
        if r.status == "ok":
            result["summary"] = {k: v for k, v in result["summary"].items() if k != "seconds"}
        records[r.name] = replace(r, fingerprint="", result=result)
    return records


GOOD = ["two_shots", "two_windows", "uneven"]


@pytest.mark.parametrize("over", [{}, {"compose": {"variant": "blur"}}], ids=["m2m", "blur"])
def test_doing_things_beside_one_another_changes_no_byte_and_no_verdict(toys, done, tmp_path, over):
    params, before = toy_params(**over), set(threading.enumerate())
    augment_shard(toys[0], 0, tmp_path / "plain", params)
    hasty = replace(params, window=replace(params.window, ahead=2))
    augment_shard(toys[0], 0, tmp_path / "augment", hasty)
    Staged(toys[0], tmp_path, hasty, done).all()
    assert judged(tmp_path / "augment") == judged(tmp_path / "plain") == judged(tmp_path / "compose")
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"compose": {"variant": "no_human"}},
        {"compose": {"variant": "mesh_on_real"}},
        {"compose": {"variant": "blur"}},
        {"allow_empty": True, "verify": {"on_doubt": "blackout", "spread": 6, "max_region": 1.0}},
    ],
    ids=["m2m", "no_human", "mesh_on_real", "blur", "blackout"],
)
def test_stages_and_chain_give_the_same_bytes_and_verdicts(toys, done, tmp_path, over):
    params = toy_params(**over)
    Staged(toys[0], tmp_path, params, done).all()
    whole = augment_shard(toys[0], 0, tmp_path / "augment", params)
    one, other = judged(tmp_path / "compose"), judged(tmp_path / "augment")
    assert one == other
    reasons = {name: r.reason for name, r in one.items()}
    assert reasons["broken"] == "unreadable" and reasons["held"] == "curated"
    assert [reasons[name] for name in GOOD] == ["", "", ""]
    if not over:
        assert (reasons["nobody"], reasons["stubborn"], reasons["wall"]) == ("nobody", "verifier", "no_background")
        assert one["two_shots"].result["summary"]["shots"] == 2
        assert one["two_windows"].result["summary"]["frames_with_bodies"] == 70
        assert whole == StageSummary("compose", 0, 3, 5, 70 + 34 + 14)
    if "verify" in over:
        assert one["stubborn"].result["summary"]["frames_blacked_out"] == 16
        assert not any(r.reason in ("verifier", "nobody", "no_background") for r in one.values())


@pytest.mark.parametrize(
    ("over", "redone"),
    [
        ({"video": {"preset": "ultrafast", "crf": 30}}, ["compose"]),
        ({"compose": {"variant": "no_human"}}, ["recover", "compose"]),
        ({"compose": {"variant": "blur"}}, ["inpaint", "recover", "compose"]),
        ({"recover": {"smooth_pose": 2.0}}, ["recover", "compose"]),
        ({"inpaint": {"guard": 7}}, ["inpaint", "compose"]),
        ({"verify": {"low": 0.2}}, ["inpaint", "compose"]),
        ({"body": {"gender": "female"}}, ["recover", "compose"]),
        ({"detect": {"box_score": 0.4}}, ["detect", "inpaint", "recover", "compose"]),
        ({"keep": ["people"]}, []),
        ({"compose": {"variant": "mesh_on_real"}}, ["inpaint", "compose"]),
        ({"compose": {"variant": "pixelate"}}, ["compose"]),
    ],
    ids=[
        "video",
        "no_human",
        "blur",
        "recover",
        "inpaint",
        "verify",
        "body",
        "detect",
        "keep",
        "mesh_on_real",
        "pixelate",
    ],
)
def test_a_parameter_redoes_its_stage_and_what_follows(lone, done, tmp_path, monkeypatch, over, redone):
    monkeypatch.setenv("M2M_STORE", str(lone[1] / "store"))
    monkeypatch.setenv("M2M_WORK", str(lone[1] / "work"))
    classical = over.get("compose", {}).get("variant") == "pixelate"
    Staged(lone[0], tmp_path, toy_params(**({"compose": {"variant": "blur"}} if classical else {})), done).all()
    shutil.copytree(lone[1] / "work", tmp_path / "work")  # the next case shall find no more than this one
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "work"))
    changed = Staged(lone[0], tmp_path, toy_params(**over), done).all()
    assert [stage for stage, (_, did) in changed.items() if did] == redone


def test_nothing_is_done_twice_and_compose_needs_no_originals(toys, done, tmp_path, monkeypatch):
    staged = Staged(toys[0], tmp_path, toy_params(), done)
    first = staged.run("detect"), staged.run("inpaint", "detect"), staged.run("recover", "detect")
    assert [len(did) for _, did in first] == [7, 6, 6]
    assert [(made.ok, made.quarantined) for made, _ in first] == [(6, 2), (3, 5), (6, 2)]
    monkeypatch.delenv("M2M_STORE")
    assert staged.run("compose", "inpaint", "recover")[1] == GOOD
    again = staged.all()
    assert [did for _, did in again.values()] == [[], [], [], []]
    assert [again[stage] for stage in ("detect", "inpaint", "recover")] == [(made, []) for made, _ in first]


def test_a_recoverer_that_looks_at_the_originals_is_given_them(toys, done, tmp_path, monkeypatch):
    params, make_chain = toy_params(), build.make_chain

    def chain(params):
        made = make_chain(params)
        return Chain(replace(made.models, recoverer=Looker()), made.params)

    staged = Staged(toys[0], tmp_path, params, done)
    staged.all()
    blind = judged(tmp_path / "compose")
    monkeypatch.setattr(recover, "make_recoverer", lambda *_: Looker())
    monkeypatch.setattr(build, "make_chain", chain)
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "another"))
    staged.all()
    augment_shard(toys[0], 0, tmp_path / "augment", params)
    seen = judged(tmp_path / "compose")
    assert seen == judged(tmp_path / "augment")
    assert all(seen[name].outputs != blind[name].outputs for name in GOOD), "what it saw is drawn"
    assert [seen[name].result["n_frames"] for name in GOOD] == [blind[name].result["n_frames"] for name in GOOD]


def test_recover_fetches_originals_only_for_who_looks(toys, done, tmp_path, monkeypatch):
    staged = Staged(toys[0], tmp_path, toy_params(), done)
    staged.run("detect")
    monkeypatch.delenv("M2M_STORE")
    assert staged.run("recover", "detect")[0].ok == 6
    monkeypatch.setattr(recover, "make_recoverer", lambda *_: Looker())
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "another"))
    monkeypatch.setenv("M2M_STORE", str(toys[1]))
    staged.run("detect")
    monkeypatch.delenv("M2M_STORE")
    with pytest.raises(InputError, match="M2M_STORE"):
        staged.run("recover", "detect")
    monkeypatch.setenv("M2M_STORE", str(toys[1]))
    assert staged.run("recover", "detect")[0].ok == 6


def test_rows_say_what_the_manifest_needs(toys, done, tmp_path):
    augment_shard(toys[0], 0, tmp_path / "compose", toy_params())
    results = read_results(tmp_path / "compose", "compose")
    assert any("Anny" in licence for licence in results.licences)
    rows = {row.clip_id: row for row in rows_of(results)}
    assert len(rows) == 8 and rows["held"].reason == "curated"
    assert (rows["broken"].status, rows["broken"].reason, rows["broken"].sha256) == ("quarantined", "unreadable", "")
    assert (rows["broken"].label, rows["broken"].split) == ("walk", "val")
    fetch_outputs(next(r for r in results.records if r.name == "two_shots"), open_store(tmp_path / "work"), tmp_path)
    row = rows["two_shots"]
    info = video.probe(tmp_path / row.path, count=True)
    assert (row.width, row.height, row.n_frames) == (info.width, info.height, info.n_frames) == (128, 96, 34)
    assert Fraction(row.fps_num, row.fps_den) == info.fps == Fraction(30000, 1001)
    assert (row.sha256, row.label, row.split, row.shard) == (file_sha256(tmp_path / row.path), "walk", "train", -1)


def test_intermediates_that_are_gone_stop_the_run(toys, done, tmp_path):
    staged = Staged(toys[0], tmp_path, toy_params(), done)
    staged.run("detect")
    store = open_store(tmp_path / "work")
    [digest] = read_results(tmp_path / "detect", "detect").records[-1].outputs.values()
    store.delete(blob_key(digest))
    with pytest.raises(InfrastructureError, match="is missing"):
        staged.run("inpaint", "detect")


def test_wrong_wiring_is_an_error(toys, done, tmp_path):
    staged = Staged(toys[0], tmp_path, toy_params(), done)
    with pytest.raises(InputError, match="no clip in shard 3"):
        detect_shard(toys[0], 3, tmp_path / "x", toy_params())
    staged.run("detect")
    with pytest.raises(InputError, match="of shard 0, not 1"):
        recover_shard(toys[0], tmp_path / "detect", 1, tmp_path / "x", toy_params())
    staged.run("recover", "detect")
    with pytest.raises(InputError, match="of recover, not of inpaint"):
        compose_shard(toys[0], tmp_path / "recover", tmp_path / "recover", 0, tmp_path / "x", toy_params())
    rows = [row for row in read_manifest(toys[0] / "clips.parquet") if row.clip_id != "wall"]
    write_manifest(rows, tmp_path / "less" / "clips.parquet")
    with pytest.raises(InputError, match="has no clip wall"):
        inpaint_shard(tmp_path / "less", tmp_path / "detect", 0, tmp_path / "x", toy_params())


def test_people_of_another_decoding_are_refused(toys, done, tmp_path):
    params = toy_params()
    staged = Staged(toys[0], tmp_path, params, done)
    staged.run("detect")
    found = next(r for r in read_results(tmp_path / "detect", "detect").records if r.name == "two_windows")
    fetch_outputs(found, open_store(tmp_path / "work"), tmp_path)
    assert len(list(read_people(tmp_path / "people" / "two_windows.jsonl.gz"))) == 2
    staged.params = replace(params, window=replace(params.window, core=40))  # as if other frames had come out
    staged.run("inpaint", "detect")
    records = {r.name: r for r in read_results(tmp_path / "inpaint", "inpaint").records}
    assert records["two_windows"].reason == "error" and "other frames" in records["two_windows"].what


def test_the_real_models_give_the_same_bytes_in_stages(tmp_path, monkeypatch, here):
    drawn = draw_clip(ClipSpec("wave", seed=3, seconds=16 / 24, height=150, camera="still"))
    cropped = np.ascontiguousarray(np.stack(drawn.frames)[:, :, 56:376])  # 4:3, so that it is stretched to 432x240
    write_video(tmp_path / "set" / "videos" / "wave.mkv", cropped)
    path = tmp_path / "set" / "videos" / "wave.mkv"
    manifest = pack(
        tmp_path / "set", tmp_path / "store", [Clip("wave", f"videos/{path.name}", "w", "", file_sha256(path))]
    )
    monkeypatch.setenv("M2M_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("M2M_WORK", str(tmp_path / "work"))
    params = load("augment")
    staged = Staged(manifest, tmp_path, params, here)
    assert all(made == StageSummary(stage, 0, 1, 0, 16) for stage, (made, _) in staged.all().items())
    augment_shard(manifest, 0, tmp_path / "augment", params)
    one, other = judged(tmp_path / "compose"), judged(tmp_path / "augment")
    assert one["wave"].result["stretch"] == 1.35
    assert one == other and one["wave"].result["summary"]["frames_with_bodies"] == 16
