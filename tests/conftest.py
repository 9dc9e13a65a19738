"""Fixtures that all tests share."""

import os
import shutil
import signal
import subprocess
from fractions import Fraction
from pathlib import Path

# A thread a process, those that tests start included; else threads without a core keep the others waiting.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy reads it

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from m2m.video import VideoParams, Writer
from tests.s3_server import s3, s3_endpoint  # noqa: F401

# A shell that runs the tests in the background makes them deaf to Ctrl-C, and so every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test asserts how long something takes, and a busy machine is no failure.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips beside the project: M2M_REAL_CLIPS, by default ../shared from the root."""
    folder = Path(os.environ.get("M2M_REAL_CLIPS", Path(__file__).parents[1].parent / "shared"))
    if not (folder / "clips").is_dir():
        pytest.skip(f"no real clips in {folder}; set M2M_REAL_CLIPS")
    return folder


@pytest.fixture(scope="session")
def ffmpeg():
    """FFmpeg's own program, as an independent writer; `ffmpeg("-i", ...)` runs it."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    return lambda *args: subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, args)], check=True)


@pytest.fixture(scope="session")
def ffprobe():
    """FFprobe as an independent reader; `ffprobe(path, "r_frame_rate")` gives that field of the video stream."""
    if not shutil.which("ffprobe"):
        pytest.skip("ffprobe is not installed")

    def ask(path: Path, field: str, section: str = "stream") -> str:
        command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", f"{section}={field}"]
        command += ["-of", "default=nokey=1:noprint_wrappers=1", "-count_frames", str(path)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return ask


def moving_blocks(n: int, size: tuple[int, int] = (96, 64), seed: int = 0) -> list[np.ndarray]:
    """`n` frames (H, W, 3) uint8 RGB of coloured blocks that move, each different from the others."""
    width, height = size
    blocks = np.random.default_rng(seed).integers(0, 256, (-(-height // 16), -(-width // 16), 3))
    picture = np.repeat(np.repeat(blocks, 16, 0), 16, 1)[:height, :width].astype(np.uint8)
    return [np.ascontiguousarray(np.roll(picture, 2 * i, axis=1)) for i in range(n)]


@pytest.fixture
def make_video(tmp_path):
    """Writes a tiny H.264 video: `make_video("a.mp4", n=30, size=(96, 64), fps=Fraction(30))`."""

    def make(
        name: str = "clip.mp4",
        n: int = 30,
        size: tuple[int, int] = (96, 64),
        fps: Fraction = Fraction(30),
        seed: int = 0,
        **options: object,
    ) -> Path:
        path = tmp_path / name
        with Writer(path, size, fps, VideoParams(preset="ultrafast"), **options) as writer:
            for frame in moving_blocks(n, size, seed):
                writer.write(frame)
        return path

    return make


@pytest.fixture
def moto(monkeypatch):
    """Address of a mock S3 server on loopback, in reach of worker processes; unlike Swift it knows object locks."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield f"http://{host}:{port}"
    server.stop()
