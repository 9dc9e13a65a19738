"""The signature of a certificate: `audit.sig` names files with their hashes, and an Ed25519 key vouches for them."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m2m.audit.certificate import PAGE
from m2m.audit.decisions import REVIEW
from m2m.audit.evidence import ATTACK
from m2m.audit.gate import HELD
from m2m.audit.review.answers import now
from m2m.audit.rows import AUDIT, read_audit
from m2m.clips import CARD, MANIFEST, Clip, data_hash, read_card, read_manifest
from m2m.errors import GateError, InfrastructureError, InputError
from m2m.files import file_sha256, write_atomic
from m2m.parsing import parse_json
from m2m.shards import FILE as SHARDS
from m2m.shards import read_shards

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = "audit.sig"
SCHEMA = 1
KIND = "m2m audit"
SIGNED = (MANIFEST, CARD, AUDIT, PAGE, REVIEW, ATTACK, HELD, SHARDS)
"""Files that are signed if they are there."""
NEEDED = (MANIFEST, CARD, AUDIT, PAGE)
SHOWN = 5


@dataclass(frozen=True)
class Verified:
    """What was found in order.

    Attributes:
        dataset: The data set's hash.
        verdict: What the certificate says of it.
        videos: Clips whose bytes are those of the manifest.
        elsewhere: Clips that lie in shards, in a data store: not checked.
        key: Fingerprint of the key that signed.
        known: Whether it is the key that was named.
        signed: When, as the signer says.
    """

    dataset: str
    verdict: str
    videos: int
    elsewhere: int
    key: str
    known: bool
    signed: str

    def __str__(self) -> str:
        text = f"unaltered: data set {self.dataset[:12]}, certificate '{self.verdict}', signed {self.signed}\n"
        text += f"{self.videos} clips have the bytes of the manifest"
        text += f"; {self.elsewhere} lie in a store and were not looked at" if self.elsewhere else ""
        if self.known:
            return f"{text}\nthe key is the one that was named: {self.key}"
        return (
            f"{text}\nthe key {self.key} signed it: anybody can sign with a key of their own, so compare it with the "
            "owner's, or name that with --public"
        )


def sign(dataset: Path, key: "Ed25519PrivateKey") -> Path:
    """Writes `audit.sig` about a certified data set.

    Raises:
        InputError: It has no certificate.
        InfrastructureError: It cannot be written.
    """
    for name in NEEDED:
        if not (dataset / name).is_file():
            raise InputError(f"{dataset} has no {name}", "run m2m audit first")
    signed = {
        "kind": KIND,
        "dataset": read_card(dataset).hash,
        "files": {n: file_sha256(dataset / n) for n in SIGNED if (dataset / n).is_file()},
        "at": now(),
    }
    values = {
        "schema": SCHEMA,
        "signed": signed,
        "public_key": base64.b64encode(_raw(key.public_key())).decode(),
        "signature": base64.b64encode(key.sign(_message(signed))).decode(),
    }
    write_atomic(dataset / SIGNATURE, (json.dumps(values, indent=1, sort_keys=True) + "\n").encode())
    return dataset / SIGNATURE


def verify(dataset: Path, public: Path | None = None) -> Verified:
    """Checks that data set, certificate and signature belong together and are as they were when they were signed.

    Args:
        dataset: The data set's folder.
        public: File of the public key that must have signed, PEM; None: any.

    Raises:
        InputError: Something is missing, is not signed, or is of another data set.
        GateError: A file is altered, the signature is wrong, or another key signed.
        InfrastructureError: The package that verifies is missing.
    """
    wanted = read_public(public) if public is not None else None
    card, clips = read_card(dataset), read_manifest(dataset / MANIFEST)
    for name in (AUDIT, PAGE):
        if not (dataset / name).is_file():
            raise InputError(f"{dataset} has no {name}", "run m2m audit, then m2m audit certify")
    signed, key = _read(dataset / SIGNATURE)
    fingerprint = key_fingerprint(key)
    if wanted is not None and _raw(wanted) != _raw(key):
        raise GateError(
            f"{dataset / SIGNATURE} was signed by another key: {fingerprint}, not {key_fingerprint(wanted)}",
            "ask the owner which key is right",
        )
    if signed["dataset"] != card.hash or data_hash(clips) != card.hash:
        raise InputError(
            f"the certificate is of the data set {signed['dataset'][:12]}; the manifest in {dataset} is of "
            f"{data_hash(clips)[:12]}, its card of {card.hash[:12]}",
            "put it beside its own data set",
        )
    _same_files(dataset, signed["files"])
    try:
        certificate = read_audit(dataset)[1]["certificate"]
        of, verdict = certificate["dataset"]["hash"], str(certificate["verdict"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{dataset / AUDIT} holds no certificate", "run m2m audit certify") from error
    if of != card.hash:
        raise InputError(f"{dataset / AUDIT} is about the data set {of[:12]}, not {card.hash[:12]}")
    videos, elsewhere = _videos(dataset, clips)
    return Verified(card.hash, verdict, videos, elsewhere, fingerprint, wanted is not None, str(signed["at"]))


def read_private(path: Path) -> "Ed25519PrivateKey":
    """An Ed25519 private key.

    Raises:
        InputError: The file cannot be read, or holds no such key.
        InfrastructureError: The package is missing.
    """
    keys, serialization = _package()
    try:
        key = serialization.load_pem_private_key(_bytes(path), password=None)
    except TypeError as error:
        raise InputError(f"the key {path} is encrypted", f"openssl pkey -in {path} -out a file of its own") from error
    except (ValueError, _unsupported()) as error:
        raise InputError(f"{path} is no private key in PEM", "openssl genpkey -algorithm ed25519 -out FILE") from error
    if not isinstance(key, keys.Ed25519PrivateKey):
        raise InputError(f"{path} is no Ed25519 key", "openssl genpkey -algorithm ed25519 -out FILE")
    return key


def read_public(path: Path) -> "Ed25519PublicKey":
    """An Ed25519 public key.

    Raises:
        InputError: The file cannot be read, or holds no such key.
        InfrastructureError: The package is missing.
    """
    keys, serialization = _package()
    advice = "openssl pkey -in KEYFILE -pubout -out FILE"
    try:
        key = serialization.load_pem_public_key(_bytes(path))
    except (ValueError, _unsupported()) as error:
        raise InputError(f"{path} is no public key in PEM", advice) from error
    if not isinstance(key, keys.Ed25519PublicKey):
        raise InputError(f"{path} is no Ed25519 key", advice)
    return key


def key_fingerprint(key: "Ed25519PublicKey") -> str:
    """SHA-256 of a public key's 32 bytes, hexadecimal."""
    return hashlib.sha256(_raw(key)).hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], "Ed25519PublicKey"]:
    """What was signed and by which key, the signature known to be right."""
    keys, _ = _package()
    from cryptography.exceptions import InvalidSignature

    if not path.is_file():
        raise InputError(
            f"{path.parent} is not signed: nothing tells whether its certificate was altered",
            "its owner runs m2m audit certify --key",
        )
    try:
        values = parse_json(path.read_bytes())
        signed = values["signed"]
        key = keys.Ed25519PublicKey.from_public_bytes(base64.b64decode(values["public_key"], validate=True))
        signature = base64.b64decode(values["signature"], validate=True)
        if values["schema"] != SCHEMA or signed["kind"] != KIND or not isinstance(signed["dataset"], str):
            raise ValueError("it is of another kind")
        if not all(name in SIGNED and isinstance(found, str) for name, found in signed["files"].items()):
            raise ValueError("it names other files")
        if missing := [name for name in NEEDED if name not in signed["files"]]:
            raise ValueError(f"it does not name {missing[0]}")
        _ = signed["at"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is no signature of a certificate: {error!r:.200}", "certify again") from error
    try:
        key.verify(signature, _message(signed))
    except InvalidSignature as error:
        raise GateError(f"{path} was altered: the signature is not that of its key over what it says") from error
    return signed, key


def _same_files(dataset: Path, files: Mapping[str, str]) -> None:
    for name, wanted in files.items():
        if not (dataset / name).is_file():
            raise GateError(f"{dataset / name} is missing: it was there when the certificate was signed")
        if _digest(dataset / name) != wanted:
            raise GateError(f"{dataset / name} was altered after it was signed", "get it again from its owner")
    for name in SIGNED:
        if name not in files and (dataset / name).is_file():
            raise GateError(f"{dataset / name} came after the certificate was signed", "certify again")


def _videos(dataset: Path, clips: list[Clip]) -> tuple[int, int]:
    """How many clips have their bytes, and how many lie elsewhere; those in shards by the shard's hash."""
    released = [clip for clip in clips if clip.status == "ok"]
    shards = read_shards(dataset) if any(clip.shard >= 0 for clip in released) else {}
    here = {index for index, shard in shards.items() if (dataset / shard.name).is_file()}
    bad = [f"shard {i} has other bytes" for i in sorted(here) if _digest(dataset / shards[i].name) != shards[i].sha256]
    root = dataset.resolve()
    for clip in released:
        path = dataset / clip.path
        if clip.shard < 0 and not (path.resolve().is_relative_to(root) and path.is_file()):
            bad.append(f"{clip.clip_id} is missing")
        elif clip.shard < 0 and _digest(path) != clip.sha256:
            bad.append(f"{clip.clip_id} has other bytes")
    if bad:
        more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise GateError(f"what {dataset} holds is not what was certified: {'; '.join(bad[:SHOWN])}{more}")
    elsewhere = sum(clip.shard >= 0 and clip.shard not in here for clip in released)
    return len(released) - elsewhere, elsewhere


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _message(signed: Mapping[str, Any]) -> bytes:
    """What is signed: canonical JSON, with a word before it that no other signature of such a key has."""
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return f"{KIND}\0{text}".encode()


def _raw(key: "Ed25519PublicKey") -> bytes:
    return key.public_bytes_raw()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the key {path}: {error.strerror}") from error


def _package() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise InfrastructureError("signatures need the package cryptography", "pip install 'm2m[sign]'") from error
    return ed25519, serialization


def _unsupported() -> type[Exception]:
    from cryptography.exceptions import UnsupportedAlgorithm

    return UnsupportedAlgorithm
