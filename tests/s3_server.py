"""A real S3 server for tests: OpenStack Swift with s3api, all four of its servers in one process on loopback.

`python tests/s3_server.py FOLDER` serves until its standard input closes, so that it never outlives the tests. The
first line it prints is its endpoint.
"""

import importlib.util
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, SECRET = "test:tester", "testing"

SWIFT_CONF = "[swift-hash]\nswift_hash_path_suffix = m2m\n[storage-policy:0]\nname = only\ndefault = yes\n"
STORAGE_CONF = """[DEFAULT]
log_udp_host = 127.0.0.1
devices = {root}/devices
swift_dir = {root}
mount_check = false
fallocate_reserve = 0
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
disable_fallocate = true
"""
PROXY_CONF = """[DEFAULT]
log_udp_host = 127.0.0.1
swift_dir = {root}
[pipeline:main]
pipeline = catch_errors listing_formats s3api tempauth slo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
min_segment_size = 1048576
max_bucket_listing = 4
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
rate_limit_after_segment = 1000
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
"""


@dataclass(frozen=True)
class S3:
    """The server and a new bucket; the environment points boto3 at them."""

    endpoint: str
    bucket: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}"


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server, started once for all tests."""
    if importlib.util.find_spec("swift") is None:
        pytest.skip("the package swift is not installed")
    root = tmp_path_factory.mktemp("swift")
    probe = root / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.m2m", b"x" * 2048)
    except OSError as error:
        pytest.skip(f"Swift needs extended attributes of files, which {root} refuses: {error.strerror}")
    with (root / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, __file__, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
        )
    try:
        endpoint = process.stdout.readline().decode().strip()
        assert endpoint.startswith("http://"), f"Swift did not start:\n{(root / 'stderr').read_text()}"
        yield endpoint
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3:
    """A new bucket of the server; credentials and endpoint are in the environment."""
    import boto3

    values = {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "3",
        "AWS_CONFIG_FILE": str(tmp_path / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    bucket = f"m2m-{uuid.uuid4().hex[:12]}"
    boto3.session.Session().client("s3").create_bucket(Bucket=bucket)
    return S3(s3_endpoint, bucket)


def serve(root: Path) -> None:
    import eventlet

    eventlet.patcher.monkey_patch()
    from eventlet import wsgi
    from swift.common import storage_policy, utils
    from swift.common.ring import RingBuilder
    from swift.common.wsgi import SwiftHttpProtocol, loadapp

    (root / "devices" / "d0").mkdir(parents=True)
    (root / "swift.conf").write_text(SWIFT_CONF)
    utils.set_swift_dir(str(root))
    utils.validate_hash_conf()
    storage_policy.reload_storage_policies()

    listening = {kind: eventlet.listen(("127.0.0.1", 0)) for kind in ("account", "container", "object", "proxy")}
    for kind, socket in listening.items():
        text = PROXY_CONF if kind == "proxy" else STORAGE_CONF
        (root / f"{kind}.conf").write_text(text.format(root=root, kind=kind))
        if kind != "proxy":
            ring = RingBuilder(part_power=1, replicas=1, min_part_hours=0)
            place = {"ip": "127.0.0.1", "port": socket.getsockname()[1], "device": "d0"}
            ring.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, **place})
            ring.rebalance()
            ring.get_ring().save(str(root / f"{kind}.ring.gz"))
    for kind, socket in listening.items():
        app = loadapp(str(root / f"{kind}.conf"), global_conf={"log_name": kind})
        logger = utils.NullLogger()
        eventlet.spawn(wsgi.server, socket, app, logger, protocol=SwiftHttpProtocol, capitalize_response_headers=False)
    print(f"http://127.0.0.1:{listening['proxy'].getsockname()[1]}", flush=True)
    eventlet.tpool.execute(sys.stdin.buffer.read)
    os._exit(0)


if __name__ == "__main__":
    serve(Path(sys.argv[1]).resolve())
