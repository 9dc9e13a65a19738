"""Registers a version of a data set: its releasable form goes into a git repository with DVC, under a tag.

What shows people is not registered. Of a curated selection of originals a version holds the selection, the manifest and
the list of sources; the videos themselves only on request, and only where a remote is marked private.
"""

import csv
import dataclasses
import io
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from m2m import shards
from m2m.audit.decisions import refuse_shown
from m2m.clips import MANIFEST, Clip, read_card, read_manifest, slug, write_card, write_manifest
from m2m.errors import InputError
from m2m.files import write_atomic
from m2m.fingerprints import fingerprint
from m2m.release import KEY_BYTES, release
from m2m.repository import Repository, Version
from m2m.store import MissingError, Store, any_work_store, data_store
from m2m.tracking import open_run, spool_folder
from m2m.wording import cell, shown

KEY = "release.key"
SELECTION = "selection.json"
SOURCES = "sources.csv"
DATASHEET = "DATASHEET.md"
VERSION = "version.json"


@dataclass(frozen=True)
class RegisterParams:
    """Where versions of data sets go.

    Attributes:
        repository: Address of a git repository with DVC: a URL, or the folder of a bare one; empty: nothing is
            registered.
        branch: Its branch; empty: its own.
        remote: Its DVC remote; empty: its default.
        name: The data set's folder under `data/`; empty: the selection's name, or the variant.
        shards: Tars the videos are packed into.
        raw: Whether videos of originals go along; the remote must be marked private.
    """

    repository: str = ""
    branch: str = ""
    remote: str = ""
    name: str = ""
    shards: int = 8
    raw: bool = False

    def __post_init__(self) -> None:
        if self.name and slug(self.name) != self.name:
            raise ValueError(f"name is of letters, digits, . _ and -, not {self.name!r}")
        if not 1 <= self.shards <= 100_000:
            raise ValueError(f"shards is 1 to 100000, not {self.shards}")


def register(
    dataset: Path,
    params: RegisterParams,
    *,
    store: Store | None = None,
    work: Store | None = None,
    key: Path | None = None,
) -> Version:
    """Registers a data set. The same data under the same key are the same version: it is found and not made again.

    Args:
        dataset: A working data set, a packed folder or a manifest folder.
        params: Where to.
        store: The data store that has the shards of a manifest folder; by default the one that M2M_STORE names.
        work: The work store, which keeps the secret of the released names where no file is named; by default the one
            that M2M_WORK names, if any.
        key: File of that secret; by default the one beside a working data set's records, else the work store's.

    Raises:
        InputError: The data set shows people and is not a selection, raw videos are asked for and the remote is not
            private, there is no secret, or repository, branch or remote are not there or refuse the push.
        GateError: A person saw somebody in a clip.
        InfrastructureError: git or dvc is missing, something cannot be reached, or the disk is full.
    """
    card = read_card(dataset)
    selection = not card.private and card.variant == "real" and (dataset / SELECTION).is_file()
    if not card.private and not selection:
        raise InputError(
            f"{dataset} holds the variant {card.variant}, which shows the original people: not registered",
            "register what m2m augment made of it; of originals only a selection that m2m curate made",
        )
    if not selection:
        refuse_shown(dataset, card.hash, read_manifest(dataset / MANIFEST))
    if params.raw and not selection:
        raise InputError("raw is for selections of originals", "leave register.raw off")
    # A working data set may have a name that says where it comes from; a variant says nothing.
    work = work or any_work_store()
    name = params.name or (slug(card.name) if selection else card.variant) or "dataset"
    with tempfile.TemporaryDirectory(prefix="m2m-register-") as scratch:
        here = Path(scratch)
        # First the clone, which fails in a second, then the videos, which take hours.
        repository = Repository(params.repository, here / "repository", params.branch, params.remote)
        if params.raw and not repository.private:
            raise InputError(
                f"the DVC remote {repository.remote} is not marked private: no videos of originals are pushed",
                f"its owner adds the line {repository.remote} to .dvc/private-remotes in the repository",
            )
        place = repository.place(name)
        if selection:
            _place_selection(dataset, place, here, store, params)
        else:
            working = _working(dataset, here / "working", store)
            release(working, here / "released", _key(dataset, here, key, work))
            shards.pack(here / "released", place, params.shards)
        shown = read_card(place)
        message = f"{name}: {shown.variant}, {shown.clips} clips, data {shown.hash[:12]}"
        return repository.publish(name, message)


@dataclass(frozen=True)
class Registered:
    """What became of a data set at the end of a pipeline.

    Attributes:
        registered: Whether it has a version now; not where no repository is named.
        name: The version's folder under `data/`.
        md5: Its hash in DVC.
        revision: Its git revision.
        tag: Its git tag.
    """

    registered: bool
    name: str = ""
    md5: str = ""
    revision: str = ""
    tag: str = ""

    def __str__(self) -> str:
        return f"registered as {self.tag}, revision {self.revision[:12]}" if self.registered else "not registered"


def register_artifact(dataset: Path, out: Path, params: RegisterParams) -> Registered:
    """Registers a data set if a repository is named, and tells the tracker; what a pipeline's last task does.

    Args:
        dataset: A working data set, a packed folder or a manifest folder.
        out: Folder of `version.json`.
        params: Where to.

    Raises:
        M2MError: As `register`.
    """
    done = Registered(False)
    if params.repository:
        card = read_card(dataset)
        version = register(dataset, params)
        done = Registered(True, **dataclasses.asdict(version))
        identity = fingerprint("register", version.md5, card.hash)
        label = f"register {version.tag}"
        with open_run("register", label, identity, spool=spool_folder(out), tags=version.tags) as run:
            run.dataset(card.name, card.hash, shown(params.repository), "registered")
    text = json.dumps(dataclasses.asdict(done), indent=1) + "\n"
    write_atomic(out / VERSION, text.encode())
    return done


def _working(dataset: Path, out: Path, store: Store | None) -> Path:
    """The working form of a data set."""
    if not (dataset / shards.FILE).is_file():
        return dataset
    if (dataset / "shards").is_dir():
        shards.unpack(dataset, out)
    else:
        shards.fetch(dataset, store or data_store(), out)
    return out


def _place_selection(dataset: Path, place: Path, here: Path, store: Store | None, params: RegisterParams) -> None:
    if params.raw:
        shards.pack(_working(dataset, here / "working", store), place, params.shards)
    else:
        place.mkdir()
        rows = [dataclasses.replace(c, shard=-1, offset=-1) for c in read_manifest(dataset / "clips.parquet")]
        write_manifest(rows, place / "clips.parquet")
        write_card(read_card(dataset), place)
    write_atomic(place / SOURCES, sources(read_manifest(dataset / "clips.parquet")))
    shutil.copyfile(dataset / SELECTION, place / SELECTION)
    if (dataset / DATASHEET).is_file():
        shutil.copyfile(dataset / DATASHEET, place / DATASHEET)


def sources(clips: Sequence[Clip]) -> bytes:
    """The list of sources as CSV: which videos one must have, of which class and split, with which bytes."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("clip_id", "label", "split", "sha256"))
    table.writerows((c.clip_id, cell(c.label), cell(c.split), c.sha256) for c in clips if c.status == "ok")
    return text.getvalue().encode()


def _key(dataset: Path, here: Path, key: Path | None, work: Store | None) -> Path | None:
    """File of the secret. It stays the same from version to version, so that the ids of released clips do."""
    if key is not None:
        return key
    own = dataset / ".m2m" / KEY
    if own.is_file() or (work is None and not (dataset / shards.FILE).is_file()):
        return own
    if work is None:
        raise InputError(f"there is no secret for the released names of {dataset}", "set M2M_WORK, or name a key file")
    try:
        work.read(KEY)
    except MissingError:
        work.write(KEY, secrets.token_bytes(KEY_BYTES))
    path = here / KEY
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(work.read(KEY))  # read again: of two that make it at once the later one counts, for both
    return path
