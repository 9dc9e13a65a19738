"""Audits of shards and of folders: what is looked at, what is not done twice, what is carried on."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from m2m import work
from m2m.audit import audit, audit_shard
from m2m.audit import dataset as module
from m2m.audit.params import AuditParams
from m2m.audit.rows import read_audit
from m2m.augment.bodies import Camera
from m2m.augment.compose import ComposeParams
from m2m.augment.intermediates import json_lines, painting_line, people_line, write_bodies
from m2m.augment.people import FramePeople, Person
from m2m.clips import Clip, DatasetCard, data_hash, write_card, write_manifest
from m2m.errors import InfrastructureError, InputError
from m2m.params import AugmentParams, to_dict
from m2m.results import read_results, write_results
from m2m.store import put_blob
from tests.audit.runs import Blind, in_process, start, use, write_clip
from tests.audit.scenes import N, row, scene, write

PARAMS = AuditParams()


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return start(tmp_path_factory.mktemp("run"), refuse={"walk__secret_1": "verifier"})


@pytest.fixture
def run(first, monkeypatch):
    use(monkeypatch, first)
    return first


def audit_all(run, out, **more):
    return {s: audit_shard(run.manifest, run.composed(s), s, out / f"{s}", PARAMS, **more) for s in run.shards}


def test_every_finished_clip_has_a_row_and_records_are_carried_on(run, tmp_path):
    done = audit_all(run, tmp_path)
    assert sum(d.audited for d in done.values()) == 4 and sum(d.quarantined for d in done.values()) == 1
    assert all(d.failed == 0 for d in done.values())
    for shard in run.shards:
        assert read_results(tmp_path / f"{shard}", "compose") == read_results(run.composed(shard), "compose")
        rows, about = read_audit(tmp_path / f"{shard}")
        for found in rows:
            assert found.sha256 == next(iter(run.made[found.clip_id].outputs.values()))
            assert found.checks["copies"].figures["frames"] == 8  # the original was there
            assert found.checks["names"].ok is True
            assert set(found.unchecked) == {"plate", "coverage", "leakage", "shape", "bodies"}
        assert about["params"] == to_dict(PARAMS)


def test_what_was_audited_before_is_not_audited_again_on_an_empty_disk(run, tmp_path, monkeypatch):
    audit_all(run, tmp_path / "a")
    monkeypatch.setattr(module, "ClipAuditor", lambda *_: pytest.fail("audited again"))
    audit_all(run, tmp_path / "b")
    for shard in run.shards:
        a, b = ((tmp_path / x / f"{shard}" / "audit.json").read_bytes() for x in "ab")
        assert a == b


def test_other_parameters_audit_again(run, tmp_path, monkeypatch):
    audit_all(run, tmp_path / "a")
    asked = []
    auditor = module.ClipAuditor
    monkeypatch.setattr(module, "ClipAuditor", lambda params: asked.append(params) or auditor(params))
    shard = run.shards[0]
    for params in (PARAMS, replace(PARAMS, alike=0.9)):
        audit_shard(run.manifest, run.composed(shard), shard, tmp_path / "b", params)
    audit_shard(
        run.manifest,
        run.composed(shard),
        shard,
        tmp_path / "c",
        PARAMS,
        made_with=AugmentParams(compose=ComposeParams(variant="no_human")),
    )
    assert asked == [replace(PARAMS, alike=0.9), PARAMS]


def test_originals_in_place_of_the_outputs_fail_unless_they_are_meant_to_be_shown(run, tmp_path):
    shard = run.shards[0]
    records = []
    for record in read_results(run.composed(shard), "compose").records:
        if record.status == "ok":
            digest = put_blob(run.work, run.root / "real" / "videos" / f"{record.name}.mp4")
            record = replace(record, fingerprint="swapped", outputs=dict.fromkeys(record.outputs, digest))
        records.append(record)
    write_results(tmp_path / "composed", "compose", shard, records)
    done = audit_shard(run.manifest, tmp_path / "composed", shard, tmp_path / "out", PARAMS)
    assert done.failed == done.audited > 0
    rows, _ = read_audit(tmp_path / "out")
    assert all(r.failed == ["copies"] and "throughout" in r.why() for r in rows)
    shown = AugmentParams(compose=ComposeParams(variant="mesh_on_real"))
    done = audit_shard(run.manifest, tmp_path / "composed", shard, tmp_path / "real", PARAMS, made_with=shown)
    assert done.failed == 0


def test_a_clip_the_work_store_has_lost_is_no_verdict(run, tmp_path):
    shard = run.shards[0]
    made = next(r for r in read_results(run.composed(shard), "compose").records if r.status == "ok")
    lost = replace(made, fingerprint="lost", outputs=dict.fromkeys(made.outputs, "9" * 64))
    write_results(tmp_path / "composed", "compose", shard, [lost])
    with pytest.raises(InfrastructureError, match="is missing"):
        audit_shard(run.manifest, tmp_path / "composed", shard, tmp_path / "out", PARAMS)


def test_a_crash_of_the_audit_fails_the_clip(run, tmp_path, monkeypatch):
    class Broken(Blind):
        def faces(self, frame, threshold):
            raise ZeroDivisionError("a bug")

    monkeypatch.setattr("m2m.audit.clip.Eyes", Broken)
    shard = run.shards[0]
    params = replace(PARAMS, near=11)
    done = audit_shard(run.manifest, run.composed(shard), shard, tmp_path / "out", params)
    assert done.failed == done.audited > 0
    assert "ZeroDivisionError" in read_audit(tmp_path / "out")[0][0].why()


def test_plates_of_the_inpaint_stage_are_looked_at(run, tmp_path):
    shard = run.shards[0]
    plates = []
    for record in read_results(run.composed(shard), "compose").records:
        if record.status == "ok":
            path = f"plates/{record.name}.mkv"
            digest = put_blob(run.work, write_clip(tmp_path / f"{record.name}.mp4", 7))
            plates.append(replace(record, outputs={path: digest}, result={"outputs": {"plates": path}, "n_frames": 8}))
    write_results(tmp_path / "plates", "inpaint", shard, plates)
    audit_shard(run.manifest, run.composed(shard), shard, tmp_path / "out", PARAMS, plates=tmp_path / "plates")
    assert all(r.checks["plate"].ok for r in read_audit(tmp_path / "out")[0])


def test_masks_and_poses_of_the_other_stages_are_looked_at(run, tmp_path):
    """The masks are those that were painted out, as the inpaint stage says, not those that detect had at first."""
    shard = run.shards[0]
    everything, nothing = np.ones((64, 96), bool), np.zeros((64, 96), bool)
    parts = {"detect": [], "inpaint": [], "recover": []}
    for record in read_results(run.composed(shard), "compose").records:
        if record.status != "ok":
            continue
        person = Person(0, np.array([0, 0, 96, 64], np.float32), 0.9, everything, frozenset({"pose", "selfie"}))
        files = {word: tmp_path / f"{record.name}-{word}" for word in ("people", "regions", "bodies")}
        with json_lines(files["people"]) as write_line:
            for t in range(8):
                write_line({"window": 0, "context": False, **people_line(t, FramePeople((person,), nothing))})
        with json_lines(files["regions"]) as write_line:
            for t in range(8):
                write_line(painting_line(t, everything, 0.0, False, Fraction(t, 8)))
        write_bodies(files["bodies"], [], Camera.default(96, 64))
        for stage, word in (("detect", "people"), ("inpaint", "regions"), ("recover", "bodies")):
            made = {word: f"{word}/{record.name}"}
            result = {"outputs": made, "n_frames": 8}
            parts[stage].append(replace(record, outputs={made[word]: put_blob(run.work, files[word])}, result=result))
    for stage, records in parts.items():
        write_results(tmp_path / stage, stage, shard, records)
    more = {"people": tmp_path / "detect", "plates": tmp_path / "inpaint", "bodies": tmp_path / "recover"}
    audit_shard(run.manifest, run.composed(shard), shard, tmp_path / "out", PARAMS, **more)
    for found in read_audit(tmp_path / "out")[0]:
        assert found.checks["coverage"].ok and found.checks["coverage"].figures["frames"] == 8
        assert found.checks["bodies"].figures["without"] == 8  # somebody confirmed, nobody drawn


def test_another_shards_results_are_refused(run, tmp_path):
    a, b = run.shards
    with pytest.raises(InputError):
        audit_shard(run.manifest, run.composed(a), b, tmp_path / "out", PARAMS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working data set of a good clip and one in which a frame came through, and the originals."""
    root = tmp_path_factory.mktemp("folder")
    spliced = list(scene().outputs)
    spliced[5] = scene().originals[5]
    rows = []
    for name, frames in (("good", scene().outputs), ("leaky", spliced)):
        write(root / "originals" / "jump" / f"{name}.mp4", scene().originals)
        path = write(root / "made" / "videos" / f"jump__{name}.mp4", frames)
        rows.append(replace(row(path, f"jump__{name}"), path=f"videos/jump__{name}.mp4"))
    rows.append(Clip("jump__held", "", status="quarantined", reason="verifier"))
    write_manifest(rows, root / "made" / "clips.parquet")
    params = to_dict(AugmentParams())
    write_card(DatasetCard("jumps", "m2m", True, params, "1", (), "", 2, 1, data_hash(rows)), root / "made")
    return root


def test_a_folder_is_audited_by_real_models_in_processes_and_resumed(folder, monkeypatch):
    made = folder / "made"
    kept = made / ".m2m" / "records" / "of-the-augmentation.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    done = audit(made, folder / "originals", made, PARAMS)
    assert (done.audited, done.failed, done.quarantined, done.frames) == (2, 1, 1, 2 * N)
    rows = {r.clip_id: r for r in read_audit(made)[0]}
    assert rows["jump__good"].verdict == "pass"
    assert "copies" in rows["jump__leaky"].failed
    assert kept.exists()  # the records of the augmentation are left alone
    monkeypatch.setattr(work, "work", lambda *_: (x for x in ()))  # nothing is left to do
    assert audit(made, folder / "originals", made, PARAMS) == done


def test_originals_of_another_data_set_are_refused(folder, tmp_path):
    write(tmp_path / "others" / "x.mp4", scene().originals[:4])
    with pytest.raises(InputError, match="was made from"):
        audit(folder / "made", tmp_path / "others", tmp_path / "out", PARAMS)


def test_without_originals_what_needs_them_is_not_checked(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "work", in_process)
    monkeypatch.setattr("m2m.audit.clip.Eyes", Blind)
    done = audit(folder / "made", None, tmp_path / "out", PARAMS)
    missing = {"copies", "plate", "coverage", "leakage", "shape", "bodies"}
    assert done.failed == 0 and done.unchecked == 2 * len(missing)
    assert all(set(r.unchecked) == missing for r in read_audit(tmp_path / "out")[0])


def test_a_manifest_of_another_run_is_refused(folder, tmp_path):
    write_manifest([Clip("x", "videos/x.mp4", sha256="1" * 64)], tmp_path / "clips.parquet")
    (tmp_path / "dataset.json").write_text((folder / "made" / "dataset.json").read_text())
    with pytest.raises(InputError, match="do not belong together"):
        audit(tmp_path, None, tmp_path / "out", PARAMS)
