"""Stores: a folder or an S3 prefix that outlives the machine. Puts are atomic, what is read back is verified."""

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from m2m.errors import InfrastructureError, InputError
from m2m.files import TEMPORARY, commit, discard, disk_errors, file_sha256

DATA = "M2M_STORE"
WORK = "M2M_WORK"
BLOCK = 1 << 20


class MissingError(InputError):
    """There is nothing under a key."""


class DamagedError(InputError):
    """What lies under a key has other bytes than it should."""


class Store(Protocol):
    """Bytes by key. Keys are relative paths of ASCII letters, digits, `.`, `_`, `-` and `=`, without hidden parts.

    Every method raises InputError for what the user can put right (a wrong key, secret or bucket) and
    InfrastructureError for the rest (a full disk, an endpoint that is down). A store can be pickled, and
    shared by threads.

    Attributes:
        uri: The folder, or s3://bucket/prefix; `open_store(uri)` opens the same store.
    """

    uri: str

    def put(self, file: Path, key: str) -> str:
        """Stores a file, whole or not at all, in place of what was there; returns its sha256."""
        ...

    def get(self, key: str, file: Path, sha256: str) -> None:
        """Writes the bytes under a key to a file, whole or not at all.

        Raises:
            MissingError: There is nothing.
            DamagedError: Its sha256 is another one.
        """
        ...

    def write(self, key: str, data: bytes) -> None:
        """Stores bytes, all or nothing, in place of what was there."""
        ...

    def read(self, key: str) -> bytes:
        """The bytes under a key.

        Raises:
            MissingError: There is nothing.
        """
        ...

    def exists(self, key: str) -> bool:
        """Whether there is something under a key."""
        ...

    def size(self, key: str) -> int:
        """How many bytes are under a key.

        Raises:
            MissingError: There is nothing.
        """
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with a string, sorted. What is being written is not among them."""
        ...

    def delete(self, key: str) -> None:
        """Removes what is under a key, if anything is."""
        ...

    def clean(self, age: float) -> int:
        """Removes what puts that were killed have left, if they began so many seconds ago; returns how many."""
        ...

    def unfinished(self) -> int:
        """How many puts have begun and not ended: some are at work, some were killed."""
        ...


def open_store(uri: str | Path) -> Store:
    """The store at an address; nothing is read or written yet.

    Args:
        uri: A folder, or s3://bucket/prefix. The endpoint and the credentials of S3 are found as boto3 finds them.

    Raises:
        InputError: It is neither.
        InfrastructureError: It is on S3 and boto3 is not installed.
    """
    text = str(uri)
    if isinstance(uri, str) and text.startswith("s3://"):
        try:
            from m2m.s3 import S3Store
        except ImportError as error:
            raise InfrastructureError(
                f"{text} needs boto3, which is not installed", "pip install 'm2m[pipelines]'"
            ) from error
        return S3Store(text)
    if not text.strip() or re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text):
        raise InputError(f"{text!r} is not a store", "name a folder or s3://bucket/prefix")
    return FolderStore(Path(text).absolute())


def data_store() -> Store:
    """The store of the shards and the published data sets.

    Raises:
        InputError: M2M_STORE is not set, or names no store.
    """
    return _from_environment(DATA)


def work_store() -> Store:
    """The store of records, finished clips and checkpoints.

    Raises:
        InputError: M2M_WORK is not set, or names no store.
    """
    return _from_environment(WORK)


def any_work_store() -> Store | None:
    """The store of records, or None where M2M_WORK is not set.

    Raises:
        InputError: M2M_WORK names no store.
    """
    return work_store() if os.environ.get(WORK) else None


def _from_environment(name: str) -> Store:
    uri = os.environ.get(name, "")
    if not uri:
        raise InputError(f"{name} is not set", "set it to a folder or to s3://bucket/prefix")
    return open_store(uri)


def blob_key(sha256: str) -> str:
    """Where the bytes with a hash lie in a store.

    Raises:
        InputError: It is no sha256.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise InputError(f"{sha256!r} is not a sha256")
    return f"blobs/{sha256[:2]}/{sha256}"


def put_blob(store: Store, file: Path) -> str:
    """Stores a file under its sha256 and returns that. What is there already is replaced: it may be damaged."""
    try:
        key = blob_key(file_sha256(file))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    return store.put(file, key)


def get_blob(store: Store, sha256: str, file: Path) -> None:
    """Writes the bytes with a hash to a file, whole or not at all.

    Raises:
        MissingError: They are not in the store.
        DamagedError: What lies in their place has another hash.
    """
    store.get(blob_key(sha256), file, sha256)


def checked(key: str) -> str:
    """The key itself.

    Raises:
        InputError: It is empty, absolute, has `..`, a hidden part or a character that some store does not take.
    """
    if not re.fullmatch(r"(?!\.)[A-Za-z0-9._=-]+(/(?!\.)[A-Za-z0-9._=-]+)*", key) or len(key) > 900:
        raise InputError(f"{key!r} is not a key of a store", "keys are relative paths of A-Z a-z 0-9 . _ = -")
    return key


def damaged(uri: str, key: str, expected: str, found: str) -> DamagedError:
    """The error for bytes with another hash than they should have."""
    return DamagedError(
        f"{uri}/{key} has other bytes than it should: sha256 {found}, expected {expected}",
        "delete it and run what wrote it again",
    )


def missing(uri: str, key: str) -> MissingError:
    """The error for a key under which there is nothing."""
    return MissingError(f"{uri}/{key} is missing", "check the address; run what writes it first")


class FolderStore:
    """A store in a folder; as in S3, several machines may write to it at once.

    Args:
        root: The folder, absolute; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = str(root)

    def put(self, file: Path, key: str) -> str:
        """See Store."""
        path = self._path(key)
        try:
            source = file.open("rb")
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}") from error
        with source, appearing(path) as part, part.open("wb") as target:
            return copy_hashed(source, target)

    def get(self, key: str, file: Path, sha256: str) -> None:
        """See Store."""
        with self._open(key) as source, appearing(file) as part:
            with part.open("wb") as target:
                found = copy_hashed(source, target)
            if found != sha256:
                raise damaged(self.uri, key, sha256, found)

    def write(self, key: str, data: bytes) -> None:
        """See Store."""
        with appearing(self._path(key)) as part:
            part.write_bytes(data)

    def read(self, key: str) -> bytes:
        """See Store."""
        with self._open(key) as file, disk_errors(self.root):
            return file.read()

    def exists(self, key: str) -> bool:
        """See Store."""
        return self._path(key).is_file()

    def size(self, key: str) -> int:
        """See Store."""
        with self._open(key) as file:
            return os.fstat(file.fileno()).st_size

    def keys(self, prefix: str) -> Iterator[str]:
        """See Store."""
        # Only the folder that the prefix names is walked; what follows its last slash begins a file's or folder's name.
        top = self.root / prefix.rpartition("/")[0]
        found = []
        for folder, folders, files in os.walk(top):
            folders[:] = [d for d in folders if not d.startswith(".")]
            at = Path(folder).relative_to(self.root)
            found += [(at / name).as_posix() for name in files if not name.startswith(".")]
        yield from sorted(key for key in found if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """See Store."""
        with disk_errors(self.root):
            self._path(key).unlink(missing_ok=True)

    def clean(self, age: float) -> int:
        """See Store."""
        found = 0
        with disk_errors(self.root):
            for part in self.root.rglob(TEMPORARY):
                with suppress(FileNotFoundError):  # it has just become a value
                    if part.stat().st_mtime <= time.time() - age:
                        part.unlink()
                        found += 1
        return found

    def unfinished(self) -> int:
        """See Store."""
        return sum(1 for _ in self.root.rglob(TEMPORARY))

    def _path(self, key: str) -> Path:
        return self.root / checked(key)

    def _open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise missing(self.uri, key) from error
        except OSError as error:
            raise InputError(f"cannot read {self.uri}/{key}: {error.strerror}") from error


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A name to write to; at the end of the block the file is in its place, or gone if the block failed.

    Unlike `m2m.files.temporary` the name is unique among machines: in containers all processes may have one pid.

    Raises:
        InfrastructureError: It cannot be written.
    """
    part = path.with_name(f".{path.name[:180]}.{secrets.token_hex(8)}.m2m-part")
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            commit(part, path)
        finally:
            discard(part)


def copy_hashed(source: IO[bytes], target: IO[bytes]) -> str:
    """Copies what is left of a file; returns its sha256."""
    digest = hashlib.sha256()
    while block := source.read(BLOCK):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()
