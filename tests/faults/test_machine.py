"""A machine that fails under `m2m augment`: nothing is half-written, nothing lost without a word."""

import errno
from fractions import Fraction
from unittest import mock

import pytest

from m2m import cli
from m2m.augment import dataset
from m2m.augment.dataset import Job
from m2m.clips import MANIFEST, Clip, read_manifest
from m2m.errors import InfrastructureError
from m2m.files import TEMPORARY, file_sha256
from m2m.params import AugmentParams
from m2m.video import Writer
from tests.augment.red_people import H, W, clip
from tests.faults.machine import DISK, ERRORS, PLACES, ToyAugmenter

PARAMS = AugmentParams(size=f"{W}x{H}", keep=("people", "plates", "bodies"))
CASES = [(place, at, number) for place in PLACES for at in (1, 3, 14) for number in ERRORS[:: 1 if at == 3 else 4]]


@pytest.fixture
def draw(tmp_path):
    """Draws clips under names that say what they meet."""

    def make(*names):
        (tmp_path / "source").mkdir(exist_ok=True)
        for k, name in enumerate(names):
            with Writer(tmp_path / f"source/{name}.mkv", (W, H), Fraction(10), lossless=True) as writer:
                for frame in clip(8, seed=k):
                    writer.write(frame)
        (tmp_path / "armed").touch()
        return tmp_path / "source"

    return make


def files(out):
    """The bytes of everything a clip leaves but for its reports, which tell how long it took."""
    kept = [
        p for p in sorted(out.rglob("*")) if p.is_file() and p.suffix in (".mp4", ".mkv", ".gz", ".npz", ".parquet")
    ]
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in kept}


def test_a_clip_that_meets_a_fault_leaves_all_of_its_files_or_none(draw, tmp_path):
    (source,) = draw("clip").iterdir()
    augmenter, hit = ToyAugmenter(PARAMS, tmp_path / "out"), 0
    for place, at, number in CASES:
        name = f"a--{place}--{at}--{number}"
        try:
            augmenter(Job(Clip(name, str(source), sha256=file_sha256(source)), source))
        except Exception as error:
            hit += 1
            fatal = isinstance(error, InfrastructureError) or (isinstance(error, OSError) and error.errno in ERRORS)
            assert fatal == (place in DISK), f"{name}: {error!r}"
            assert not [p for p in files(tmp_path / "out") if name in p], name
        else:
            assert len([p for p in files(tmp_path / "out") if name in p]) == 5, name
        assert not list(tmp_path.rglob(TEMPORARY)), name
    assert hit > 0.6 * len(CASES), "the faults are not met"


def augment(source, out):
    with mock.patch.object(dataset, "ClipAugmenter", ToyAugmenter):
        return cli.main(["augment", str(source), str(out), "--keep", "people,plates,bodies", "--size", PARAMS.size])


def test_a_run_names_what_it_lost_and_the_next_one_is_as_if_nothing_had_been(draw, tmp_path):
    out, names = tmp_path / "out", [f"a--{place}--1--{errno.EIO}" for place in PLACES if place not in DISK]
    source = draw("b--none--1--0", *names)
    assert augment(source, out) == 3
    rows = {r.clip_id: r for r in read_manifest(out / MANIFEST)}
    assert {name: rows[name].reason for name in names} == dict.fromkeys(names, "error")
    assert [p.name for p in (out / "videos").iterdir()] == ["b--none--1--0.mp4"]
    (tmp_path / "armed").unlink()
    assert augment(source, out) == 0 and augment(source, tmp_path / "calm") == 0
    assert files(out) == files(tmp_path / "calm") and len(files(out)) == 5 * (len(names) + 1) + 1


def test_a_disk_that_fails_ends_the_run_and_the_next_one_goes_on(draw, tmp_path, capsys):
    out = tmp_path / "out"
    source = draw("a--none--1--0", f"b--rename--3--{errno.ENOSPC}", "c--none--1--0")
    assert augment(source, out) == 5
    assert "No space left on device" in capsys.readouterr().err
    assert not (out / MANIFEST).exists() and [p.name for p in (out / "videos").iterdir()] == ["a--none--1--0.mp4"]
    (tmp_path / "armed").unlink()
    assert augment(source, out) == 0
    assert [r.status for r in read_manifest(out / MANIFEST)] == ["ok"] * 3
    assert "1 of 3 finished earlier" in capsys.readouterr().err
