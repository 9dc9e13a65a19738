"""A runner that gives every task of a local run a container of its stage's image, as confined as on a cluster."""

import contextlib
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.types import Mount
from google.protobuf import json_format
from kfp import local
from kfp.local import docker_task_handler
from requests.exceptions import RequestException

from m2m import weights
from m2m.clips import scan
from m2m.datasets.official import load
from m2m.errors import InfrastructureError, InputError
from m2m.upstream import UPSTREAMS
from pipelines.resources import SCRATCH, WEIGHTS

SHM = "1g"
LABEL = "m2m.run"
PATIENCE = 20.0
"""Seconds in which the engine has to remove a run's last containers."""

ENGINE = (DockerException, RequestException)
"""What the client raises where an engine refuses, is gone or does not answer in time."""

OWN = re.compile("|".join(("M2M_WEIGHTS", *(one.variable for one in UPSTREAMS.values()))))
"""What an image says for itself: where it keeps the code of others, and where it expects their weights."""

PASSED = re.compile(r"(M2M|AWS|MLFLOW|DVC|GIT|OMP)_\w+|(HTTPS?|NO)_PROXY", re.IGNORECASE)
"""What a container gets of this process's environment: addresses and credentials, as from config map and secret."""

HOST_FILES = re.compile(r"AWS_CA_BUNDLE|AWS_CONFIG_FILE|AWS_SHARED_CREDENTIALS_FILE|GIT_SSL_CAINFO|M2M_BASE_IMAGE")
"""Names of files on this machine, which a container does not see; of those that are there it gets the file."""


def images(pipeline: Any) -> set[str]:
    """The addresses of the images that a pipeline's tasks run in."""
    executors = json_format.MessageToDict(pipeline.pipeline_spec.deployment_spec)["executors"]
    return {executor["container"]["image"] for executor in executors.values()}


def run_container(
    client: Any, image: str, command: list[str], volumes: dict[str, Any], *, stopped: threading.Event, **more: Any
) -> int:
    """Runs a task's container to its end, prints what it prints, and gives its exit status.

    kfp's own function has the engine remove the container at its end; where that is quicker than the question for the
    status, it takes the task for a success. A gate that fails would pass.

    Raises:
        KeyboardInterrupt: The run was stopped before.
    """
    if stopped.is_set():
        raise KeyboardInterrupt
    container = client.containers.run(image, command, detach=True, volumes=volumes, **more)
    try:
        if stopped.is_set():  # it was not there yet when the run's containers were removed
            raise KeyboardInterrupt
        for line in container.logs(stream=True, follow=True):
            print(line.decode(errors="replace"), end="")
        return int(container.wait()["StatusCode"])
    finally:
        _remove(container)


def _remove(container: Any) -> bool:
    """Removes a container, and says whether that worked: an engine may find the file system of one just killed busy."""
    try:
        container.remove(force=True)
    except NotFound:
        return True
    except ENGINE:
        return False
    return True


def sweep(client: Any, name: str) -> None:
    """Stops and removes what is left of a run: kfp.local does not when it is interrupted."""
    end = time.monotonic() + PATIENCE
    try:
        while left := client.containers.list(all=True, ignore_removed=True, filters={"label": f"{LABEL}={name}"}):
            removed = [_remove(container) for container in left]
            if all(removed):
                return
            if time.monotonic() > end:
                names = " ".join(container.name for container in left)
                print(f"the engine does not remove containers of this run: docker rm -f {names}", file=sys.stderr)
                return
            time.sleep(0.5)
    except ENGINE as error:
        print(f"the engine does not say what is left of this run ({LABEL}={name}): {error}", file=sys.stderr)


@contextlib.contextmanager
def _kept_until_asked(stopped: threading.Event) -> Iterator[None]:
    own = docker_task_handler.run_docker_container
    docker_task_handler.run_docker_container = partial(run_container, stopped=stopped)
    try:
        yield
    finally:
        docker_task_handler.run_docker_container = own


def seen(source: str) -> tuple[Path, ...]:
    """What containers must be given of a source on this machine: itself, and where lists, links and YAML files lead.

    Raises:
        InputError: There is no such source, or nothing in it.
    """
    path = Path(source).absolute()
    known = {path}
    if path.suffix.lower() in (".yaml", ".yml"):
        described = load(path)
        known |= {Path(name).absolute() for name in (described.videos, described.annotations) if name}
        path = Path(described.videos)
    files = [Path(clip.path) for clip in scan(path) if clip.path]
    folders = {file.absolute().parent for file in files} | {file.resolve().parent for file in files}
    known |= {path.resolve() for path in known} | folders
    return tuple(sorted(path for path in known if not known.intersection(path.parents)))


@contextlib.contextmanager
def docker_runner(
    pipeline: Any, root: Path, name: str, stopped: threading.Event, sees: tuple[Path, ...] = ()
) -> Iterator[tuple[local.DockerRunner, Callable[[], None]]]:
    """A `kfp.local` runner for one run, and what ends the containers that it has started.

    Containers share the host's network, so that a store or a tracker on loopback is found; they run as the calling user
    without any capability, on a file system that may only be read. What they leave behind ends with the run.

    Args:
        pipeline: What will run; its images must be on this engine.
        root: Folder of runs, stores and the tracker's data.
        name: The run's name.
        stopped: When it is set no container is started any more.
        sees: Files and folders outside of `root` that tasks read.

    Raises:
        InputError: An image is not there.
        InfrastructureError: No engine answers.
    """
    try:
        client = docker.from_env()
        client.ping()
    except ENGINE as error:
        raise InfrastructureError(
            f"no Docker engine answers: {error}", "start one, name it in DOCKER_HOST, or run with --runner subprocess"
        ) from error
    scratch, cache = root / "scratch" / name, root / "cache"
    try:
        for image in sorted(images(pipeline)):
            try:
                client.images.get(image)
            except ImageNotFound as error:
                raise InputError(f"there is no image {image} on this engine", "make images, or pull it") from error
        for folder in (scratch, cache):
            folder.mkdir(parents=True, exist_ok=True)
        environment = {
            k: v
            for k, v in os.environ.items()
            if PASSED.fullmatch(k) and not HOST_FILES.fullmatch(k) and not OWN.fullmatch(k)
        }
        files = {k: Path(v) for k, v in os.environ.items() if HOST_FILES.fullmatch(k) and Path(v).is_file()}
        environment |= {k: str(path) for k, path in files.items()}
        stores = [Path(environment[k]) for k in ("M2M_STORE", "M2M_WORK") if environment.get(k, "").startswith("/")]
        for store in stores:
            store.mkdir(parents=True, exist_ok=True)
        written = {root, *(store for store in stores if not store.is_relative_to(root))}
        read = {path for path in (*sees, *files.values()) if not path.is_relative_to(root)}
        mounts = [Mount(str(path), str(path), type="bind") for path in sorted(written)]
        mounts += [Mount(str(path), str(path), type="bind", read_only=True) for path in sorted(read)]
        mounts.append(Mount(SCRATCH, str(scratch), type="bind"))
        if weights.folder().is_dir():
            mounts.append(Mount(WEIGHTS, str(weights.folder()), type="bind", read_only=True))
        environment |= {"TMPDIR": SCRATCH, "NUMBA_CACHE_DIR": str(cache / "numba")}
        runner = local.DockerRunner(
            user=f"{os.getuid()}:{os.getgid()}",
            environment=environment,
            mounts=mounts,
            network_mode="host",
            shm_size=SHM,
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            labels={LABEL: name},
        )
        with _kept_until_asked(stopped):
            yield runner, partial(sweep, client, name)
    except ENGINE as error:
        raise InfrastructureError(f"the Docker engine failed: {error}", "see docker system df and its log") from error
    finally:
        sweep(client, name)
        client.close()
        shutil.rmtree(scratch, ignore_errors=True)
