"""Registered versions: what a DVC remote and a cache hold of a data set, and which tags and branches still name it."""

import configparser
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from m2m.clips import CARD, MANIFEST, read_manifest
from m2m.errors import InputError
from m2m.parsing import parse_json
from m2m.purge.history import History
from m2m.purge.proof import Left, Outside, Thing, each
from m2m.repository import failure, run
from m2m.store import MissingError, Store, open_store
from m2m.wording import shown

FILES = "files/md5/"
"""Where DVC 3 keeps what it tracks, named after the md5 of its bytes."""

FOLDER = re.compile(rf"{FILES}([0-9a-f]{{2}})/([0-9a-f]{{30}})\.dir")
POINTER = re.compile(r"\bmd5: ['\"]?([0-9a-f]{32}(?:\.dir)?)\b")


@dataclass(frozen=True)
class Tracked:
    """A folder that DVC tracks.

    Attributes:
        md5: Its hash, without `.dir`.
        files: The md5 of its files by relative path.
    """

    md5: str
    files: dict[str, str]


@dataclass
class Registered:
    """A git repository with DVC.

    Attributes:
        address: As it was named, fit to be shown.
        named: Tags and branches, by the md5 that they name; folders with `.dir`.
        places: The DVC remotes, and of a working copy its cache.
    """

    address: str
    named: dict[str, list[str]] = field(default_factory=dict)
    places: list[Store] = field(default_factory=list)


def registered(repository: str, remains: list[Left]) -> Registered:
    """Looks which versions a repository names, and where their data lie.

    Args:
        repository: A URL, a bare repository's folder, or a working copy.
        remains: What is out of reach is added here.

    Raises:
        InputError: There is no such repository, or it has no DVC.
        InfrastructureError: It cannot be reached, or git is not installed.
    """
    found = Registered(shown(repository))
    copy = Path(repository)
    if (copy / ".git").exists():
        config = copy / ".dvc" / "config"
        _stores(copy, found, remains, config.read_text("utf-8") if config.is_file() else "")
        origin = run("git", "remote", "get-url", "origin", cwd=copy)
        if origin.returncode:
            _refs(copy, found, _all_refs(copy))
            return found
        # What is registered is what the others see; of the copy itself what it has checked out.
        _refs(copy, found, ["HEAD"])
        repository = origin.stdout.strip()
    with tempfile.TemporaryDirectory(prefix="m2m-purge-") as scratch:
        clone = Path(scratch) / "clone"
        at = copy if (copy / ".git").exists() else None
        done = run("git", "clone", "--quiet", "--mirror", "--", repository, str(clone), cwd=at)
        if done.returncode:
            raise failure(done, f"cannot clone {shown(repository)}", "check --repository")
        _refs(clone, found, _all_refs(clone))
        if at is None:
            _stores(clone, found, remains, run("git", "show", "HEAD:.dvc/config", cwd=clone).stdout)
    return found


def gone_from(repository: Registered, originals: set[str], remains: list[Left]) -> list[Outside]:
    """What goes of a repository's data: of each place the files, and the lists that tell which they are.

    Args:
        repository: The repository.
        originals: sha256 of the original videos.
        remains: What stays is added here.

    Raises:
        InputError: A tag or a branch still names the originals, or a version that stays cannot be read.
    """
    folders = {place.uri: dict(_folders(place)) for place in repository.places}
    known = {md5: tracked for found in folders.values() for md5, tracked in found.items()}
    for md5, refs in repository.named.items():
        if md5.endswith(".dir") and md5.removesuffix(".dir") not in known and repository.places:
            where = ", ".join(place.uri for place in repository.places)
            raise InputError(
                f"the version {_some(refs)} of {repository.address} is not in {where}: nobody knows what it needs",
                "dvc push it, or remove it from the repository",
            )
    doomed = {md5 for md5, tracked in known.items() if _names(tracked, repository.places, originals)}
    held = {md5: repository.named[f"{md5}.dir"] for md5 in doomed if f"{md5}.dir" in repository.named}
    if held:
        refs = sorted({ref for refs in held.values() for ref in refs})
        raise InputError(
            f"{repository.address} still has versions that name these originals: {_some(refs)}",
            "git push origin --delete each tag, git rm its data/NAME.dvc on each branch and push, then purge again",
        )
    needed = {digest for md5, tracked in known.items() if md5 not in doomed for digest in tracked.files.values()}
    needed |= set(repository.named)
    going: list[Outside] = []
    for place in repository.places:
        history = History(place, remains)
        mine = [md5 for md5 in doomed if md5 in folders[place.uri]]
        files = {digest for md5 in mine for digest in known[md5].files.values()}
        present = set(place.keys(FILES))
        things = [_thing(place, _key(d), "file of a version") for d in sorted(files - needed) if _key(d) in present]
        lists = [_thing(place, _key(f"{md5}.dir"), "list of a version") for md5 in sorted(mine)]
        shared = len(files & needed)
        if shared:
            remains.append(Left(place.uri, "*", f"{shared} file(s) that other versions have as well"))
        groups = history.of(things), history.of(lists)
        remains += history.rest([*groups[0], *groups[1]])
        going.append((place, groups))
    return going


def _all_refs(folder: Path) -> list[str]:
    return run("git", "for-each-ref", "--format=%(refname)", "refs/tags", "refs/heads", cwd=folder).stdout.split()


def _refs(folder: Path, found: Registered, refs: Iterable[str]) -> None:
    """Adds what tags and branches name."""
    for ref in refs:
        names = run("git", "ls-tree", "-r", "-z", "--name-only", ref, cwd=folder).stdout.split("\0")
        for name in names:
            if name.endswith(".dvc") or name.rpartition("/")[2] == "dvc.lock":
                text = run("git", "show", f"{ref}:{name}", cwd=folder).stdout
                label = re.sub(r"^refs/(tags|heads)/", "", ref) if ref != "HEAD" else f"HEAD of {folder}"
                for md5 in POINTER.findall(text):
                    if label not in (said := found.named.setdefault(md5, [])):
                        said.append(label)


def _stores(root: Path, found: Registered, remains: list[Left], config: str) -> None:
    """Adds the remotes of a DVC configuration, and of a working copy the cache."""
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(config)
    if not config:
        raise InputError(f"{found.address} is no DVC repository", "name the one that m2m register pushes to")
    local = root / ".dvc" / "config.local"
    if local.is_file():
        parsed.read(local, encoding="utf-8")
    addresses = [parsed.get(s, "url", fallback="") for s in parsed.sections() if s.startswith("'remote ")]
    if (root / ".git").exists():
        addresses.append(str((root / ".dvc" / parsed.get("cache", "dir", fallback="cache")).absolute()))
        remains.append(Left(str(root), "*", "files that dvc has checked out, and other copies: delete them there"))
    else:
        remains.append(Left(found.address, "*", "caches and working copies of those who pulled a version"))
    for address in addresses:
        # A relative address is relative to .dvc; of a bare repository nobody can have meant one.
        path = address if "://" in address else str((root / ".dvc" / address).absolute())
        if "://" in path and not path.startswith("s3://"):
            remains.append(Left(path, "*", "a DVC remote that is neither a folder nor S3"))
        else:
            found.places.append(open_store(path))


def _folders(place: Store) -> Iterator[tuple[str, Tracked]]:
    """The folders whose lists lie in a place."""
    keys = [key for key in place.keys(FILES) if FOLDER.fullmatch(key)]
    for key, data in zip(keys, each(place.read, keys), strict=True):
        match = FOLDER.fullmatch(key)
        md5 = f"{match[1]}{match[2]}" if match else ""
        try:
            yield md5, Tracked(md5, {entry["relpath"]: entry["md5"] for entry in parse_json(data)})
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{place.uri}/{key} is damaged: {error}", "delete it, and dvc push again") from error


def _names(tracked: Tracked, places: Iterable[Store], originals: set[str]) -> bool:
    """Whether a folder is a data set whose manifest names original videos."""
    if MANIFEST not in tracked.files or CARD not in tracked.files:
        return False
    for place in places:
        try:
            data = place.read(_key(tracked.files[MANIFEST]))
        except MissingError:
            continue
        with tempfile.TemporaryDirectory(prefix="m2m-purge-") as scratch:
            path = Path(scratch) / MANIFEST
            path.write_bytes(data)
            return not originals.isdisjoint(clip.sha256 for clip in read_manifest(path) if clip.sha256)
    return False


def _thing(place: Store, key: str, kind: str) -> Thing:
    return Thing(place.uri, key, kind, "", place.size(key))


def _key(md5: str) -> str:
    return f"{FILES}{md5[:2]}/{md5[2:]}"


def _some(refs: list[str]) -> str:
    return ", ".join(refs[:5]) + (f" and {len(refs) - 5} more" if len(refs) > 5 else "")
