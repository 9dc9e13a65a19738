"""Builds the images of the stages: scripts/images.py [--registry R] [--base IMAGE] [--push] [NAME ...]."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from components.images import NAMES, PAPER  # noqa: E402
from m2m.errors import M2MError  # noqa: E402
from m2m.upstream import COMMIT, UPSTREAMS, find_upstream  # noqa: E402
from pipelines import images  # noqa: E402

LOCAL_BASE = "m2m/debian:bookworm"
HOLDS = dict(zip(PAPER, ("detectron2", "e2fgvi", "osx"), strict=True))
"""Whose code an image holds."""
FULL = "no space left on device"
BILLS = Path("docker") / "sbom"
"""Where the bills of materials of the images lie."""


class Failed(Exception):
    """Something that a person must see to; the text says what."""


def client() -> tuple[str, dict[str, str]]:
    """A docker client that can build with BuildKit, and its environment.

    Debian's client of version 20 has BuildKit built in; newer ones need the plug-in buildx. DOCKER names one client.
    """
    given = os.environ.get("DOCKER")
    found = [given] if given else [f"{p}/docker" for p in os.get_exec_path() if os.access(f"{p}/docker", os.X_OK)]
    if not found:
        raise Failed("there is no docker client on this machine; install docker, or name it in DOCKER")
    for docker in found:
        version = run(docker, "version", "--format", "{{.Client.Version}}")
        if "Cannot connect" in version.stderr or "permission denied" in version.stderr:
            raise Failed(f"no Docker engine answers: {version.stderr.strip()}")
        major = version.stdout.partition(".")[0]
        if run(docker, "buildx", "version").returncode == 0 or (major.isdecimal() and int(major) < 23):
            return docker, {**os.environ, "DOCKER_BUILDKIT": "1"}
    raise Failed(
        f"{', '.join(found)} cannot build with BuildKit: install buildx, or Debian's docker.io, and name it in DOCKER"
    )


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    """Runs a program and takes what it prints."""
    return subprocess.run(command, capture_output=True, text=True)


def base(docker: str, wanted: str) -> str:
    """The image to build upon: the one asked for, or one made from Debian's packages where no registry is in reach."""
    named = wanted or images.base_image()
    if run(docker, "image", "inspect", named).returncode == 0:
        return named
    pulled = run(docker, "pull", "--quiet", named)
    if pulled.returncode == 0:
        return named
    if not wanted and run(docker, "image", "inspect", LOCAL_BASE).returncode == 0:
        return LOCAL_BASE
    if wanted and wanted != LOCAL_BASE:
        raise Failed(f"there is no image {wanted}: {last(pulled.stderr)}")
    print(f"{named} is not in reach ({last(pulled.stderr)}): making {LOCAL_BASE} by debootstrap", flush=True)
    made = subprocess.run([ROOT / "docker" / "debian.sh", LOCAL_BASE], env={**os.environ, "DOCKER": docker})
    if made.returncode != 0:
        raise Failed("docker/debian.sh made no base image; --base names one that is there")
    return LOCAL_BASE


def last(text: str) -> str:
    """The last line of what a program said."""
    return next((line for line in reversed(text.strip().splitlines()) if line.strip()), "nothing was said")


def secrets() -> list[str]:
    """What this machine's pip and uv need to reach their index: certificates and settings, for the build alone."""
    certificates = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    given = {"ca": certificates, "pip": os.environ.get("PIP_CONFIG_FILE"), "uv": os.environ.get("UV_CONFIG_FILE")}
    return [
        part
        for name, path in given.items()
        if path and Path(path).is_file()
        for part in ("--secret", f"id={name},src={path}")
    ]


def place(name: str) -> None:
    """Puts code of others where the build finds it: the checkout that its variable names, or a clone."""
    upstream, target = UPSTREAMS[name], ROOT / "docker" / "upstream" / name
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / name
        if os.environ.get(upstream.variable):
            source = find_upstream(name)
        else:
            print(f"{name}: {upstream.repository} at {upstream.commit} ({upstream.licence})", flush=True)
            clone = run("git", "clone", "-q", "--no-checkout", upstream.repository, str(source))
            taken = run("git", "-C", str(source), "checkout", "-q", upstream.commit)
            if taken.returncode != 0:
                raise Failed(
                    f"{last(clone.stderr + taken.stderr)}; where there is no network, name a checkout: {upstream.how}"
                )
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".git", "__pycache__"))
    (target / COMMIT).write_text(upstream.commit + "\n", encoding="utf-8")


def revision() -> str:
    """The checkout's git revision, empty outside of one."""
    return run("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*").stdout.strip()


def build(docker: str, environment: dict[str, str], name: str, registry: str, upon: str) -> str:
    """Builds one image unless it is there; gives its address."""
    address = images.address(name, registry)
    if run(docker, "image", "inspect", address).returncode == 0:
        print(f"{address}: there already", flush=True)
        return address
    held = HOLDS.get(name)
    if held:
        place(held)
    licences = f"Apache-2.0 AND others: {UPSTREAMS[held].licence}" if held else "Apache-2.0"
    labels = {
        "org.opencontainers.image.title": f"m2m {name}",
        "org.opencontainers.image.licenses": licences,
        "org.opencontainers.image.revision": revision(),
        "org.opencontainers.image.base.name": upon,
    }
    command = [docker, "build", "--file", str(ROOT / "docker" / "Dockerfile"), "--target", name, "--tag", address]
    command += ["--build-arg", f"BASE={upon}", *secrets()]
    command += [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run([*command, str(ROOT)], env=environment, stdout=log, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            log.seek(0)
            said = log.read()
            if FULL in said.lower():
                raise Failed(f"the engine has no room for {address}: free some with `docker system prune`")
            raise Failed(f"{address} was not built:\n" + "\n".join(said.splitlines()[-15:]))
    size = int(run(docker, "image", "inspect", "--format", "{{.Size}}", address).stdout)
    print(f"{address}: {size / 1e6:.0f} MB, {time.monotonic() - begin:.0f} s", flush=True)
    return address


def describe(docker: str, name: str, address: str) -> Path:
    """Writes the bill of materials of a finished image: what is really in it tells, not the locks."""
    with (ROOT / "scripts" / "sbom.py").open("rb") as program:
        command = [docker, "run", "--rm", "--interactive", "--network=none", address, "python3", "-", address]
        done = subprocess.run(command, stdin=program, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{address} does not say what is in it: {last(done.stderr)}")
    path = ROOT / BILLS / f"{name}.cdx.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(done.stdout, encoding="utf-8")
    return path


def main() -> int:
    """Builds what was asked for, in an order in which layers are shared."""
    parser = argparse.ArgumentParser(prog="scripts/images.py", description=__doc__.partition(":")[0] + ".")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all of them), and {', '.join(PAPER)}"
    )
    parser.add_argument("--registry", default="m2m", help="registry and folder of the addresses (default: m2m)")
    parser.add_argument(
        "--base", default="", help="what to build upon (default: the Dockerfile's BASE, or debootstrap)"
    )
    parser.add_argument("--push", action="store_true", help="push what was built")
    args = parser.parse_args()
    if unknown := set(args.names) - {*NAMES, *PAPER}:
        parser.error(f"there is no image {min(unknown)}; there are {', '.join((*NAMES, *PAPER))}")
    try:
        docker, environment = client()
        upon = base(docker, args.base)
        (ROOT / images.BASE_FILE).write_text(upon + "\n", encoding="utf-8")
        for name in args.names or NAMES:
            address = build(docker, environment, name, args.registry, upon)
            print(f"{address}: {describe(docker, name, address).relative_to(ROOT)}", flush=True)
            if args.push and (pushed := run(docker, "push", "--quiet", address)).returncode != 0:
                raise Failed(f"cannot push {address}: {last(pushed.stderr)}")
    except (Failed, M2MError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
