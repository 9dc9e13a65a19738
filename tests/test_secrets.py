"""Secrets stay where they are: canaries in the environment, and every byte that is printed or written looked at."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from m2m.clips import MANIFEST, read_card, read_manifest, write_card
from m2m.errors import M2MError
from m2m.s3 import S3Store
from m2m.wording import shown
from tests.audit.audited import audited
from tests.sets import write_set

CANARY = "c4n4ry"
GONE = "127.0.0.1:9"
"""Nobody listens there."""
SECRETS = {
    "AWS_ACCESS_KEY_ID": f"{CANARY}-id",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}-secret",
    "AWS_SESSION_TOKEN": f"{CANARY}-session",
    "AWS_ENDPOINT_URL": f"http://user:{CANARY}-endpoint@{GONE}",
    "AWS_MAX_ATTEMPTS": "1",
    "MLFLOW_TRACKING_URI": f"http://user:{CANARY}-tracker@{GONE}",
    "MLFLOW_TRACKING_USERNAME": f"{CANARY}-user",
    "MLFLOW_TRACKING_PASSWORD": f"{CANARY}-password",
    "MLFLOW_TRACKING_TOKEN": f"{CANARY}-token",
    "KF_PIPELINES_TOKEN": f"{CANARY}-kfp",
    "GITHUB_TOKEN": f"{CANARY}-git",
    "HF_TOKEN": f"{CANARY}-hub",
}
HASH = "ab" * 32

CHAIN = """
import sys
from m2m.cli import main
root, repository = sys.argv[1:]
for line in (
    "ingest {0}/originals {0}/ingested",
    "ingest s3://bucket/prefix {0}/never",
    "pack {0}/set {0}/packed",
    "unpack {0}/packed {0}/unpacked",
    "release {0}/set {0}/released --key {0}/release.key",
    "audit certify {0}/set --key {0}/sign.pem",
    "audit verify {0}/set",
    "audit review {0}/set --sample 1 --plants 0",
    "report {0}/report.html --dataset {0}/set",
    "register {0}/set --key {0}/release.key --repository " + repository,
    "gate {0}/set",
    "purge {0}/set {0}/proof.json",
    "replay {0}/spool",
):
    print(line.split()[0], main(line.format(root).split()), flush=True)
from pathlib import Path
from m2m.tracking import open_run
with open_run("evaluate", "e", "ab" * 32, spool=Path(root) / "spool", params={"a": {"b": 1}}) as run:
    run.metrics({"loss": 1.0}, 1)
print("tracked", main(["replay", root + "/spool"]))
"""


@pytest.fixture(scope="module")
def canaries(tmp_path_factory) -> tuple[Path, str]:
    """Where the chain ran, and what it printed."""
    root = tmp_path_factory.mktemp("canaries")
    audited(root / "set")
    card = read_card(root / "set")
    write_card(type(card)(**{**vars(card), "name": "plain"}), root / "set")
    write_set(root / "originals", classes=1, clips=2)
    (root / "originals" / "clips.parquet").unlink()
    (root / "release.key").write_bytes(f"{CANARY}-release-key-of-32-bytes-and-more".encode())
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", root / "sign.pem"], check=True)
    address = f"https://{CANARY}-token@{GONE}/team/data.git"
    environment = {**os.environ, **SECRETS, "M2M_WORK": "", "M2M_STORE": str(root / "store")}
    command = [sys.executable, "-c", CHAIN, str(root), address]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr[-2000:]
    return root, done.stdout + done.stderr


def test_the_chain_did_what_it_was_to_do(canaries):
    root, said = canaries
    codes = dict(line.split() for line in said.splitlines() if line.partition(" ")[2].isdigit())
    assert {k for k, v in codes.items() if v == "0"} >= {"pack", "unpack", "release", "report", "purge"}, said
    assert codes["register"] != "0" and codes["tracked"] == "5"
    assert (root / "set" / "audit.sig").is_file() and list((root / "spool").glob("*.jsonl"))
    assert f"http://{GONE}" in said or GONE in said  # whom it could not reach is told, without the password


def test_no_secret_is_printed(canaries):
    for line in canaries[1].splitlines():
        assert CANARY not in line


def test_no_secret_is_written(canaries):
    root, _ = canaries
    private = (root / "sign.pem").read_text().splitlines()[1].encode()
    looked = 0
    for path in root.rglob("*"):
        if path.is_file() and path.name not in ("release.key", "sign.pem"):
            data = path.read_bytes()
            assert CANARY.encode() not in data and private not in data, path
            looked += 1
    assert looked > 30


def test_an_endpoint_with_a_password_is_named_without_it(monkeypatch, tmp_path):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(M2MError) as refused:
        S3Store("s3://bucket/prefix").read("key")
    assert CANARY not in str(refused.value) and GONE in str(refused.value)


def test_rows_of_a_manifest_hold_no_secret(canaries):
    rows = read_manifest(canaries[0] / "released" / MANIFEST)
    assert rows and all(shown(str(row)) == str(row) for row in rows)
