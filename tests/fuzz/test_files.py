"""Broken files are refused with a reason, or read whole: never shortened, never mended. `make fuzz` does more of it."""

import random

import pytest

from tests.fuzz import judge, seeds
from tests.fuzz.judge import BAD, QUARANTINED
from tests.fuzz.mutations import KINDS, OF_OTHER
from tests.fuzz.odd import ODD

FRAMES = 12


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> dict[str, seeds.Seed]:
    """A drawn clip in all formats, by name."""
    paths = seeds.drawn(tmp_path_factory.mktemp("whole"), n=FRAMES)
    return {path.name: seeds.Seed(path, judge.hashes(path)) for path in paths}


def test_whole_files_of_all_formats_are_read(whole):
    assert {name: len(seed.frames) for name, seed in whole.items()} == dict.fromkeys(seeds.FORMATS, FRAMES)


@pytest.mark.parametrize("name", seeds.FORMATS)
def test_a_damaged_file_is_refused_or_read_whole(whole, tmp_path, name):
    seed, bad = whole[name], {}
    for kind, mutate in KINDS.items():
        rng = random.Random(f"{name}/{kind}")
        other = whole[rng.choice([n for n in whole if n != name])]
        path = tmp_path / name
        path.write_bytes(mutate(seed.path.read_bytes(), rng, other.path.read_bytes()))
        outcome = judge.look(path, other.frames if kind in OF_OTHER else seed.frames)
        if outcome.verdict in BAD:
            bad[kind] = f"{outcome.verdict}: {outcome.why}"
    assert not bad


@pytest.mark.parametrize("name", [name for name, odd in ODD.items() if not odd.slow])
def test_an_odd_file_is_refused_or_read_whole(tmp_path, name):
    path, odd = tmp_path / name, ODD[name]
    odd.make(path)
    outcome = judge.judge(path, None)
    assert outcome.megabytes < judge.MEGABYTES / 4
    if odd.frames is None:
        assert outcome.verdict == QUARANTINED and f"{name!r} cannot be used" in outcome.why
    else:
        assert outcome.verdict == judge.OTHER and len(outcome.frames) == odd.frames
