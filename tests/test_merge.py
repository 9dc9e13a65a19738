"""Merge: every clip once, only what the audit found good is packed, and what is published is what was made."""

import json
from dataclasses import replace

import pytest

from m2m.audit import audit_shard
from m2m.audit.gate import gate
from m2m.audit.params import AuditParams, GateParams
from m2m.audit.rows import Check, read_audit, write_audit
from m2m.clips import data_hash, file_sha256, read_manifest
from m2m.errors import GateError, InfrastructureError, InputError
from m2m.merge import merge
from m2m.params import AugmentParams, to_dict
from m2m.published import fetch_published
from m2m.results import read_results, write_results
from m2m.shards import fetch, read_folder, shard_of
from m2m.store import blob_key
from tests.audit.runs import LICENCES, start, use

PARAMS = AugmentParams()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run up to the audit: of five clips one was refused; another was quarantined before."""
    run = start(tmp_path / "run", refuse={"walk__secret_3": "verifier"})
    use(monkeypatch, run)
    for shard in run.shards:
        audit_shard(run.manifest, run.composed(shard), shard, run.audited(shard), AuditParams())
    return run


def parts(run):
    return [run.audited(s) for s in run.shards]


def change(run, clip_id, alter):
    """Alters the audit row of a clip; None removes it."""
    for folder in parts(run):
        rows, about = read_audit(folder)
        changed = [alter(r) if r.clip_id == clip_id else r for r in rows]
        write_audit(folder, [r for r in changed if r is not None], about)


def merged(run, name="merged", n=2):
    return merge(parts(run), run.manifest, run.root / name, PARAMS, n)


def test_every_clip_is_there_once_and_what_is_published_is_what_was_made(run, tmp_path):
    card = merged(run)
    rows, read, _ = read_folder(run.root / "merged")
    assert read == card
    assert sorted(c.clip_id for c in rows) == sorted([*run.made, "walk__secret_broken"])
    assert (card.clips, card.quarantined, card.variant, card.private) == (4, 2, "m2m", True)
    assert card.parent == run.real and card.licences == LICENCES and card.parameters == to_dict(PARAMS)
    assert card.hash == data_hash(rows)
    assert all(c.shard == shard_of(c.clip_id, 2) and c.label == "walk" for c in rows if c.status == "ok")
    fetch_published(card.hash, run.store, tmp_path / "manifest")
    fetch(tmp_path / "manifest", run.store, tmp_path / "videos")
    for clip in read_manifest(tmp_path / "videos" / "clips.parquet"):
        if clip.status == "ok":
            made = run.root / "made" / "videos" / f"{clip.clip_id}.mp4"
            assert file_sha256(tmp_path / "videos" / clip.path) == file_sha256(made)
    assert {r.clip_id for r in read_audit(tmp_path / "manifest")[0]} == {c.clip_id for c in rows if c.status == "ok"}


def test_why_clips_are_held_is_written(run):
    merged(run)
    held = json.loads((run.root / "merged" / "held.json").read_text())["clips"]
    assert held["walk__secret_3"] == {"reason": "verifier", "what": "said verifier", "evidence": {"frame": 3}}
    assert held["walk__secret_broken"]["reason"] == "no_video"
    assert len(held) == 2
    assert gate(run.root / "merged", GateParams()).released == 4


def test_a_clip_that_fails_the_audit_is_not_packed(run, tmp_path):
    bad = Check(False, {"why": "3 frame(s) show somebody"})
    change(run, "walk__secret_0", lambda r: replace(r, checks={**r.checks, "copies": bad}))
    card = merged(run)
    row = next(c for c in read_manifest(run.root / "merged" / "clips.parquet") if c.clip_id == "walk__secret_0")
    assert (row.status, row.reason, row.path, row.sha256, row.shard) == ("quarantined", "audit", "", "", -1)
    assert card.clips == 3
    fetch(run.root / "merged", run.store, tmp_path / "videos")
    assert not list((tmp_path / "videos" / "videos").glob("walk__secret_0*"))
    shut_out = (run.root / "made" / "videos" / "walk__secret_0.mp4").read_bytes()
    real = {s.key for s in read_folder(run.manifest)[2].values()}
    for key in set(run.store.keys("shards/")) - real:
        assert shut_out not in run.store.read(key)
    with pytest.raises(GateError, match="3 frame"):
        gate(run.root / "merged", GateParams())


def test_a_clip_without_a_row_or_with_anothers_is_not_packed(run):
    change(run, "walk__secret_0", lambda _: None)
    change(run, "walk__secret_1", lambda r: replace(r, sha256="0" * 64))
    assert merged(run).clips == 2
    held = json.loads((run.root / "merged" / "held.json").read_text())["clips"]
    assert held["walk__secret_0"]["what"] == "it was not audited"
    assert held["walk__secret_1"]["what"] == "the audit looked at another file"


def test_the_order_of_parts_does_not_matter_and_a_second_merge_is_the_same(run):
    a = merged(run, "a")
    b = merge(parts(run)[::-1], run.manifest, run.root / "b", PARAMS, 2)
    assert a == b
    for file in (run.root / "a").iterdir():
        assert file.read_bytes() == (run.root / "b" / file.name).read_bytes()


def test_a_missing_shard_is_named(run):
    with pytest.raises(InputError, match=r"shard\(s\) 1 of .* missing"):
        merge(parts(run)[:1], run.manifest, run.root / "m", PARAMS, 2)
    assert not (run.root / "m").exists()


def test_a_doubled_shard_is_named(run):
    with pytest.raises(InputError, match="shard 0 is there twice"):
        merge([*parts(run), run.audited(0)], run.manifest, run.root / "m", PARAMS, 2)


def test_a_shard_of_another_manifest_is_refused(run):
    results = read_results(run.audited(1), "compose")
    write_results(run.audited(1), "compose", 7, results.records)
    with pytest.raises(InputError, match="of shard 7"):
        merged(run)


def test_a_shard_that_lost_or_gained_a_clip_is_refused(run):
    results = read_results(run.audited(1), "compose")
    write_results(run.audited(1), "compose", 1, results.records[1:])
    with pytest.raises(InputError, match=f"the clip {results.records[0].name} is in only one"):
        merged(run)
    extra = replace(results.records[0], name="walk__of_somebody_else")
    write_results(run.audited(1), "compose", 1, [*results.records, extra])
    with pytest.raises(InputError, match="walk__of_somebody_else is in only one"):
        merged(run)


def test_parts_that_were_audited_in_different_ways_are_refused(run):
    shard = run.shards[1]
    audit_shard(run.manifest, run.composed(shard), shard, run.audited(shard), AuditParams(alike=0.99))
    with pytest.raises(InputError, match="different ways"):
        merged(run)


def test_a_part_without_an_audit_is_refused(run):
    (run.audited(0) / "audit.json").unlink()
    with pytest.raises(InputError, match="not audited"):
        merged(run)


def test_a_clip_the_work_store_lost_is_no_data_set(run):
    digest = next(iter(run.made["walk__secret_0"].outputs.values()))
    run.work.delete(blob_key(digest))
    with pytest.raises(InfrastructureError, match="lost the video of walk__secret_0"):
        merged(run)
    assert not (run.root / "merged").exists()


def test_nothing_released_is_written_and_left_to_the_gate(tmp_path, monkeypatch):
    run = start(tmp_path / "run", n=2, refuse={"walk__secret_0": "nobody", "walk__secret_1": "nobody"})
    use(monkeypatch, run)
    for shard in run.shards:
        audit_shard(run.manifest, run.composed(shard), shard, run.audited(shard), AuditParams())
    card = merged(run)
    assert (card.clips, card.quarantined) == (0, 3)
    with pytest.raises(GateError, match="nothing was released"):
        gate(run.root / "merged", GateParams(max_quarantined=1))


def test_the_number_of_shards_must_make_sense(run):
    with pytest.raises(InputError, match="1 or more"):
        merged(run, n=0)
