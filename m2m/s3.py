"""Stores on S3 or whatever speaks its protocol, through boto3; what goes wrong is said in words."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    ResponseStreamingError,
)

from m2m.errors import InfrastructureError, InputError, M2MError
from m2m.files import file_sha256
from m2m.store import appearing, checked, damaged, missing

PART = 16 << 20
"""Bytes of one part of a file that is sent or fetched in parts."""

ATTEMPTS = 6
"""Times a request is made, with pauses of up to 1, 2, 4, 8 and 16 s between; AWS_MAX_ATTEMPTS overrides it."""

CUT = (IncompleteReadError, ResponseStreamingError, ReadTimeoutError)
REFUSED = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "InvalidToken"})
SPOILT = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "RequestTimeout"})
"""Errors that blame the request and mean what happened to it on the way."""


@dataclass(frozen=True)
class Version:
    """One version of an object, in a bucket that keeps them.

    Attributes:
        key: The object's key, relative to the store's prefix.
        id: The server's name of the version.
        size: Its bytes.
        latest: Whether it is what a reader gets who names no version.
        marker: Whether it is a delete marker, which holds nothing and hides the versions before it.
    """

    key: str
    id: str
    size: int
    latest: bool
    marker: bool


class S3Store:
    """A store under a prefix of a bucket.

    Args:
        uri: s3://bucket/prefix.
        part: Bytes of a part; S3 takes no less than 5 MiB.

    Raises:
        InputError: The address is wrong.
    """

    def __init__(self, uri: str, part: int = PART) -> None:
        match = re.fullmatch(r"s3://([A-Za-z0-9][A-Za-z0-9._-]+)((?:/[A-Za-z0-9._=-]+)*)/*", uri)
        if not match:
            raise InputError(f"{uri!r} is not an address on S3", "it has the form s3://bucket/prefix")
        self.bucket = match[1]
        self.prefix = f"{checked(match[2][1:])}/" if match[2] else ""
        self.uri = f"s3://{self.bucket}{match[2]}"
        self.part = part
        self._bucket_seen = False

    def __reduce__(self) -> tuple[type, tuple[str, int]]:
        return S3Store, (self.uri, self.part)

    def put(self, file: Path, key: str) -> str:
        """See Store. The server checks every part against the hash in its signature."""
        try:
            digest = file_sha256(file)
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}") from error
        with self._said(key):
            self._client.upload_file(str(file), self.bucket, self._name(key), Config=self._transfer)
        return digest

    def get(self, key: str, file: Path, sha256: str) -> None:
        """See Store."""
        checked(key)
        with appearing(file) as part:
            found = self._download(key, part)
            if found != sha256:
                raise damaged(self.uri, key, sha256, found)

    def fetch(self, key: str, file: Path) -> str:
        """Writes the bytes under any key, also one that is no key of a store, to a file; returns their sha256.

        Nothing says what the bytes should be: this is for what others have put there.
        """
        with appearing(file) as part:
            return self._download(key, part)

    def listing(self) -> Iterator[tuple[str, int, str]]:
        """Key, bytes and ETag of all that lies under the prefix, whatever the keys are; sorted by key."""
        with self._said(""):
            for page in self._pages(""):
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self.prefix), entry["Size"], entry["ETag"].strip('"')

    def write(self, key: str, data: bytes) -> None:
        """See Store."""
        with self._said(key):
            self._client.put_object(Bucket=self.bucket, Key=self._name(key), Body=data)

    def read(self, key: str) -> bytes:
        """See Store. botocore repeats a request that fails, not one whose answer is cut; this does."""
        name = self._name(key)
        with self._said(key):
            for pause in (0.1, 1.0, 4.0):
                try:
                    return self._client.get_object(Bucket=self.bucket, Key=name)["Body"].read()
                except CUT:
                    time.sleep(pause)
            return self._client.get_object(Bucket=self.bucket, Key=name)["Body"].read()

    def exists(self, key: str) -> bool:
        """See Store."""
        return self._head(key) is not None

    def size(self, key: str) -> int:
        """See Store."""
        head = self._head(key)
        if head is None:
            raise missing(self.uri, key)
        return head["ContentLength"]

    def keys(self, prefix: str) -> Iterator[str]:
        """See Store."""
        with self._said(prefix):
            for page in self._pages(prefix):
                yield from (entry["Key"].removeprefix(self.prefix) for entry in page.get("Contents", ()))

    def delete(self, key: str) -> None:
        """See Store."""
        with self._said(key):
            self._client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def versioned(self) -> bool:
        """Whether the bucket keeps older versions of its objects, or did so once.

        Raises:
            InputError: The rights do not reach to ask.
            InfrastructureError: The server does not say.
        """
        with self._said(""):
            return bool(self._client.get_bucket_versioning(Bucket=self.bucket).get("Status"))

    def versions(self, prefix: str) -> Iterator[Version]:
        """All versions and delete markers of the keys that begin with a string, whatever the keys are."""
        with self._said(prefix):
            pages = self._client.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for marker, kind in ((False, "Versions"), (True, "DeleteMarkers")):
                    for entry in page.get(kind, ()):
                        key, size = entry["Key"].removeprefix(self.prefix), entry.get("Size", 0)
                        yield Version(key, entry["VersionId"], size, entry["IsLatest"], marker)

    def read_version(self, key: str, version: str) -> bytes:
        """The bytes of a version of any key, also of one that is no key of a store; empty: the latest.

        Raises:
            MissingError: There is no such version.
        """
        named = {"VersionId": version} if version else {}
        with self._said(key):
            return self._client.get_object(Bucket=self.bucket, Key=self.prefix + key, **named)["Body"].read()

    def delete_version(self, key: str, version: str) -> None:
        """Removes a version of any key for good; empty: as `delete`, which in such a bucket only hides."""
        named = {"VersionId": version} if version else {}
        with self._said(key):
            self._client.delete_object(Bucket=self.bucket, Key=self.prefix + key, **named)

    def _pages(self, prefix: str) -> Any:
        return self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)

    def _download(self, key: str, part: Path) -> str:
        with self._said(key):
            try:
                self._client.download_file(self.bucket, self.prefix + key, str(part), Config=self._transfer)
            except ClientError as error:
                self._see_bucket(error)
                raise
        return file_sha256(part)

    def clean(self, age: float) -> int:
        """See Store."""
        found = 0
        with self._said(""):
            for upload in self._uploads():
                if upload["Initiated"].timestamp() <= time.time() - age:
                    self._client.abort_multipart_upload(
                        Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    found += 1
        return found

    def unfinished(self) -> int:
        """See Store."""
        with self._said(""):
            return len(self._uploads())

    def _uploads(self) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_multipart_uploads")
        found = pages.paginate(Bucket=self.bucket, Prefix=self.prefix)
        return [upload for page in found for upload in page.get("Uploads", ())]

    def _name(self, key: str) -> str:
        return self.prefix + checked(key)

    def _head(self, key: str) -> dict[str, Any] | None:
        name = self._name(key)
        with self._said(key):
            try:
                return self._client.head_object(Bucket=self.bucket, Key=name)
            except ClientError as error:
                self._see_bucket(error)
                if _status(error) != 404:
                    raise
        return None

    def _see_bucket(self, error: ClientError) -> None:
        """Raises if the bucket is missing; the answer to a HEAD does not say whether that or the key is."""
        if _status(error) == 404 and not self._bucket_seen:
            self._client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)
            self._bucket_seen = True

    @property
    def _transfer(self) -> TransferConfig:
        return TransferConfig(multipart_threshold=self.part, multipart_chunksize=self.part, max_concurrency=4)

    @cached_property
    def _client(self) -> Any:
        attempts = {} if "AWS_MAX_ATTEMPTS" in os.environ else {"total_max_attempts": ATTEMPTS}
        config = Config(
            retries={"mode": "standard", **attempts},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=40,  # eight files at a time in four parts each, and more
            # The hash in the signature proves what arrived; servers other than Amazon's know no other checksum.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"payload_signing_enabled": True},
        )
        with self._said(""):
            try:
                return boto3.session.Session().client("s3", config=config)
            except ValueError as error:
                raise InputError(str(error), "correct AWS_ENDPOINT_URL or AWS_REGION") from error

    @contextmanager
    def _said(self, key: str) -> Iterator[None]:
        """Turns whatever boto3 raises into an error that a user can act on."""
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error) as error:
            raise self._error(error, key) from error

    def _error(self, error: BaseException, key: str) -> M2MError:
        cause = getattr(error, "last_exception", None) or error
        if isinstance(cause, Boto3Error) and cause.__context__ is not None:  # as upload_file's, which holds only text
            cause = cause.__context__
        if isinstance(cause, NoCredentialsError | PartialCredentialsError | ProfileNotFound):
            return InputError(
                f"no credentials for {self.uri}: {cause}", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        if isinstance(cause, ParamValidationError):
            return InputError(f"{self.uri}/{key} is not an address on S3: {' '.join(str(cause).split())}")
        if isinstance(cause, ClientError):
            return self._answer(cause, key)
        why = " ".join(str(cause).split())
        return InfrastructureError(f"{self.uri}/{key}: {why}", "check AWS_ENDPOINT_URL and the network, then run again")

    def _answer(self, error: ClientError, key: str) -> M2MError:
        """The error for an answer of the server."""
        status, code = _status(error), error.response.get("Error", {}).get("Code", "")
        server = self._client.meta.endpoint_url
        if code == "NoSuchBucket":
            return InputError(f"there is no bucket {self.bucket} at {server}", "make it, or correct the address")
        if status == 404:
            return missing(self.uri, key)
        said = f"{server} answers {status} {error.response.get('Error', {}).get('Message', '') or code}"
        if status in (401, 403) or code in REFUSED:
            return InputError(
                f"{self.uri}/{key} is refused: {said} ({code})",
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and their rights on the bucket",
            )
        if status < 500 and status != 429 and code not in SPOILT:
            return InputError(f"{self.uri}/{key} cannot be used: {said} ({code})", "check the address and the region")
        return InfrastructureError(f"{self.uri}/{key}: {said} ({code})", "run again when the server has recovered")


class AnyKeys(S3Store):
    """A prefix under which others put their objects: their keys need not be keys of a store."""

    def __reduce__(self) -> tuple[type, tuple[str, int]]:
        return AnyKeys, (self.uri, self.part)

    def _name(self, key: str) -> str:
        return self.prefix + key


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
