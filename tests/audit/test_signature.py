"""Whatever is altered, missing or another's is found and named; what is whole is vouched for."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest

from m2m.audit.certificate import certify
from m2m.audit.rows import read_audit, write_audit
from m2m.audit.signature import read_private, sign, verify
from m2m.cli import main
from m2m.clips import CARD, MANIFEST, read_card, write_card
from m2m.errors import GateError, InfrastructureError, InputError
from m2m.shards import pack
from tests.audit.audited import audited, reviewed, saved, truth

pytest.importorskip("cryptography", reason="the extra sign is not installed")
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
OPEN = serialization.NoEncryption()


def write_key(path, key=None, lock=OPEN):
    key = key or ed25519.Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(PEM, PKCS8, lock))
    public = path.with_suffix(".pub")
    public.write_bytes(key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return path, public


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A signed data set of two clips, with a review, and its keys."""
    root = tmp_path_factory.mktemp("signed")
    folder = audited(root / "set", clips=2, held=1)
    key, public = write_key(root / "owner.key")
    done = reviewed(folder, sample=1, plants=1)
    certify(folder, [saved(root / "answers.json", done, truth(done))], key)
    return folder, key, public


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole[0], tmp_path / "set")


def test_what_is_whole_is_verified(whole, folder, capsys):
    _, _, public = whole
    found = verify(folder, public)
    assert (found.verdict, found.videos, found.elsewhere, found.known) == ("passed", 2, 0, True)
    assert not verify(folder).known and "anybody can sign" in str(verify(folder))
    assert main(["audit", "verify", str(folder), "--public", str(public)]) == 0
    assert "unaltered" in capsys.readouterr().out


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["audit.html", "audit.json", "review.json", "videos/class0_1.mp4"])
def test_one_changed_bit_is_found_and_named(folder, name, capsys):
    flip(folder / name)
    with pytest.raises(GateError, match=name.rpartition("/")[2].removesuffix(".mp4")):
        verify(folder)
    assert main(["audit", "verify", str(folder)]) == 4
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["review.json", "videos/class0_0.mp4"])
def test_what_went_is_missed(folder, name):
    (folder / name).unlink()
    with pytest.raises(GateError, match="missing"):
        verify(folder)


def test_what_came_later_is_told(folder):
    (folder / "attack.json").write_text('{"rows": []}')
    with pytest.raises(GateError, match=r"attack\.json came after"):
        verify(folder)


def test_an_altered_signature_is_found(folder):
    values = json.loads((folder / "audit.sig").read_text())
    values["signed"]["at"] = "2020-01-01T00:00:00Z"
    (folder / "audit.sig").write_text(json.dumps(values))
    with pytest.raises(GateError, match=r"audit\.sig was altered"):
        verify(folder)


def test_another_key_is_told_from_the_named_one(folder, whole, tmp_path):
    _, public = write_key(tmp_path / "other.key")
    with pytest.raises(GateError, match="signed by another key"):
        verify(folder, public)
    sign(folder, read_private(tmp_path / "other.key"))
    assert not verify(folder).known  # anybody can sign; only the named key says whose it is
    with pytest.raises(GateError, match="signed by another key"):
        verify(folder, whole[2])


def test_unsigned_missing_and_odd_files_are_bad_input(folder, capsys):
    for text in ("{", "[]", '{"schema": 1}', (folder / "audit.sig").read_text().replace('"audit.html"', '"other"')):
        (folder / "audit.sig").write_text(text)
        with pytest.raises(InputError, match="is no signature"):
            verify(folder)
    (folder / "audit.sig").unlink()
    assert main(["audit", "verify", str(folder)]) == 1
    assert "is not signed" in capsys.readouterr().err
    (folder / "audit.html").unlink()
    with pytest.raises(InputError, match=r"has no audit\.html"):
        verify(folder)


def test_a_certificate_beside_another_data_set_is_told(folder, tmp_path):
    other = audited(tmp_path / "other", clips=3)
    for name in ("audit.json", "audit.html", "audit.sig", "review.json"):
        shutil.copyfile(folder / name, other / name)
    with pytest.raises(InputError, match="the certificate is of the data set"):
        verify(other)
    shutil.copyfile(other / MANIFEST, folder / MANIFEST)
    with pytest.raises(InputError, match="the certificate is of the data set"):
        verify(folder)


def test_a_card_that_was_changed_is_found(folder):
    write_card(replace(read_card(folder), variant="no_human"), folder)
    with pytest.raises(GateError, match=CARD):
        verify(folder)


def test_certify_without_a_key_leaves_no_signature(folder, tmp_path):
    assert certify(folder).signed is None
    assert not (folder / "audit.sig").exists()


def test_signing_an_audit_again_that_found_the_same_is_still_right(folder):
    rows, about = read_audit(folder)
    certificate = about.pop("certificate")
    write_audit(folder, rows, {**about, "certificate": certificate})
    assert verify(folder).verdict == "passed"


def test_packed_clips_are_checked_by_their_shards(folder, tmp_path, whole):
    pack(folder, tmp_path / "packed", 1)
    rows, about = read_audit(folder)
    about.pop("certificate")
    write_audit(tmp_path / "packed", rows, about)
    certify(tmp_path / "packed", key=whole[1])
    assert verify(tmp_path / "packed", whole[2]).videos == 2
    tar = next((tmp_path / "packed" / "shards").iterdir())
    flip(tar)
    with pytest.raises(GateError, match="shard 0 has other bytes"):
        verify(tmp_path / "packed")
    tar.unlink()
    assert verify(tmp_path / "packed").elsewhere == 2


def test_keys_that_are_none_are_refused(folder, whole, tmp_path):
    _, key, public = whole
    (tmp_path / "no.pem").write_text("no key")
    lock = serialization.BestAvailableEncryption(b"secret")
    for path, match in (
        (tmp_path / "none.pem", "cannot read the key"),
        (tmp_path / "no.pem", "no private key in PEM"),
        (public, "no private key in PEM"),
        (write_key(tmp_path / "ec.key", ec.generate_private_key(ec.SECP256R1()))[0], "no Ed25519 key"),
        (write_key(tmp_path / "locked.key", lock=lock)[0], "is encrypted"),
    ):
        with pytest.raises(InputError, match=match):
            certify(folder, key=path)
    for path, match in ((key, "no public key in PEM"), (tmp_path / "ec.pub", "no Ed25519 key")):
        with pytest.raises(InputError, match=match):
            verify(folder, path)
    assert verify(folder).verdict == "passed"  # a key that is none changed nothing


def test_keys_that_openssl_makes_are_taken(folder, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, public = tmp_path / "a.key", tmp_path / "a.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    certify(folder, key=key)
    assert verify(folder, public).known


def test_without_the_package_it_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(InfrastructureError, match="cryptography"):
        verify(folder)
