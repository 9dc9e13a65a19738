"""Merge: the audited shards of a run become one data set. What was not found good by the audit is not packed."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from m2m import shards, tars
from m2m.audit.certificate import write_certificate
from m2m.audit.gate import HELD
from m2m.audit.rows import Row, read_audit, write_audit
from m2m.augment.compose import NOT_PRIVATE
from m2m.augment.dataset import CODE_VERSION
from m2m.augment.stages import rows_of
from m2m.clips import Clip, DatasetCard, data_hash
from m2m.errors import InfrastructureError, InputError
from m2m.files import disk_errors, file_sha256, write_atomic
from m2m.params import AugmentParams, to_dict
from m2m.published import publish
from m2m.results import Results, read_results
from m2m.shards import Shard, shard_of
from m2m.store import DamagedError, MissingError, Store, data_store, get_blob, work_store

REASON = "audit"
"""Why a clip is quarantined that the audit did not find good."""


@dataclass(frozen=True)
class _Part:
    """The audited results of one shard."""

    folder: Path
    results: Results
    audit: dict[str, Row]
    about: dict[str, Any]


def merge(
    parts: Sequence[Path],
    manifest: Path,
    out: Path,
    params: AugmentParams,
    n: int,
    *,
    store: Store | None = None,
    work: Store | None = None,
) -> DatasetCard:
    """Joins audited shards, packs what is good into the data store and publishes the data set.

    Args:
        parts: What `audit_shard` wrote, a folder a shard, in any order.
        manifest: The manifest folder from which the clips were made; every clip of it is in the result once.
        out: The manifest folder to write, with `audit.json`, the certificate and `held.json` (why clips are
            quarantined); must not exist or be empty.
        params: Parameters of `augment`.
        n: Into how many shards the result is packed.
        store: The data store; by default the one that M2M_STORE names.
        work: The work store; by default the one that M2M_WORK names.

    Returns:
        The card. A data set without a released clip is written and not published: the gate stops it.

    Raises:
        InputError: A shard is missing or there twice, a part is not of this manifest, parts were audited in different
            ways, a store cannot be used, or `out` is not empty.
        InfrastructureError: A store or the disk fails, or the work store has lost a clip.
    """
    if n < 1:
        raise InputError(f"shards must be 1 or more, not {n}")
    store, work = store or data_store(), work or work_store()
    originals, source, _ = shards.read_folder(manifest)
    joined = _read(parts, originals, manifest)
    rows, held = _rows(originals, joined)
    with shards.new_folder(out) as building:
        packed, tarred = _pack([r for r in rows if r.status == "ok"], n, store, work)
        rows = packed + [r for r in rows if r.status != "ok"]
        card = DatasetCard(
            name=source.name,
            variant=params.compose.variant,
            private=params.compose.variant not in NOT_PRIVATE,
            parameters=to_dict(params),
            code_version=CODE_VERSION,
            licences=tuple(sorted({licence for part in joined for licence in part.results.licences})),
            parent=source.hash,
            clips=len(packed),
            quarantined=len(rows) - len(packed),
            hash=data_hash(rows),
        )
        shards.write_folder(rows, card, tarred, building)
        write_audit(building, [row for part in joined for row in part.audit.values()], joined[0].about)
        text = json.dumps({"schema": 1, "clips": held}, indent=1, sort_keys=True, allow_nan=False)
        write_atomic(building / HELD, (text + "\n").encode())
        write_certificate(building, building)
    if packed:
        publish(out, store)
    return card


def _read(parts: Sequence[Path], originals: Sequence[Clip], manifest: Path) -> list[_Part]:
    """The parts by number of shard, known to be all of them.

    Raises:
        InputError: They are not.
    """
    wanted: dict[int, set[str]] = {}
    refused = {clip.clip_id for clip in originals if clip.status != "ok"}
    for clip in originals:
        if clip.status == "ok":
            wanted.setdefault(clip.shard, set()).add(clip.clip_id)
    found: dict[int, _Part] = {}
    for folder in parts:
        audit, about = read_audit(folder)
        part = _Part(folder, read_results(folder, "compose"), {row.clip_id: row for row in audit}, about)
        index = part.results.shard
        if index in found:
            raise InputError(f"shard {index} is there twice: {found[index].folder} and {folder}", "check the wiring")
        if index not in wanted:
            raise InputError(f"{folder} is of shard {index}, in which {manifest} has no clip", "check the wiring")
        found[index] = part
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (" and more" if len(missing) > 10 else "")
        raise InputError(f"shard(s) {shown} of {manifest} are missing among {len(parts)} part(s)", "run them first")
    joined = [found[index] for index in sorted(found)]
    for part in joined:
        names = {record.name for record in part.results.records} - refused
        if names != wanted[part.results.shard]:
            other = min(names ^ wanted[part.results.shard])
            raise InputError(
                f"shard {part.results.shard}: the clip {other} is in only one of {part.folder} and {manifest}",
                "run the shard again with this manifest",
            )
        if part.about != joined[0].about:
            raise InputError(f"{part.folder} and {joined[0].folder} were audited in different ways", "audit them again")
    return joined


def _rows(originals: Sequence[Clip], parts: Sequence[_Part]) -> tuple[list[Clip], dict[str, dict[str, Any]]]:
    """A row for every original, and why those are quarantined that are."""
    made = {row.clip_id: (row, part) for part in parts for row in rows_of(part.results)}
    records = {record.name: record for part in parts for record in part.results.records}
    rows, held = [], {}
    for clip in originals:
        if clip.status != "ok":
            rows.append(replace(clip, path="", sha256="", shard=-1, offset=-1))
            held[clip.clip_id] = _why(clip.reason, "was quarantined in the input already", {})
            continue
        row, part = made[clip.clip_id]
        row = replace(row, label=clip.label, split=clip.split)
        if row.status != "ok":
            record = records[clip.clip_id]
            held[clip.clip_id] = _why(record.reason, record.what, record.evidence)
        elif objection := _objection(row, part.audit.get(clip.clip_id)):
            row = replace(row, path="", sha256="", status="quarantined", reason=REASON)
            held[clip.clip_id] = _why(REASON, objection, {})
        rows.append(row)
    return rows, held


def _objection(clip: Clip, row: Row | None) -> str:
    """Why a finished clip may not be packed, or nothing."""
    if row is None:
        return "it was not audited"
    if row.sha256 != clip.sha256:
        return "the audit looked at another file"
    return "" if row.verdict == "pass" else row.why()


def _why(reason: str, what: str, evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {"reason": reason, "what": what, "evidence": dict(evidence)}


def _pack(clips: Sequence[Clip], n: int, store: Store, work: Store) -> tuple[list[Clip], list[Shard]]:
    """Packs clips from the work store into the data store, with the videos of one shard on disk at a time."""
    by_index: dict[int, list[Clip]] = {}
    for clip in clips:
        by_index.setdefault(shard_of(clip.clip_id, n), []).append(clip)
    packed, tarred = [], []
    for index, mine in sorted(by_index.items()):
        with tempfile.TemporaryDirectory(prefix="m2m-merge-") as scratch, disk_errors(Path(scratch)):
            folder, tar = Path(scratch), Path(scratch) / f"{index:05}.tar"
            for clip in mine:
                try:
                    get_blob(work, clip.sha256, folder / clip.path)
                except (MissingError, DamagedError) as error:
                    raise InfrastructureError(
                        f"the work store has lost the video of {clip.clip_id}: {error.what}", "run its shard again"
                    ) from error
            packed += tars.write(tar, folder, mine, index)
            shard = Shard(index, file_sha256(tar), tar.stat().st_size, len(mine))
            if not store.exists(shard.key) or store.size(shard.key) != shard.size:
                store.put(tar, shard.key)
            tarred.append(shard)
    return packed, tarred
