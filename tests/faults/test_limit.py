"""Clips that take longer than they may: `--limit` reaches the items of every stage, see also tests/test_work.py."""

import pytest

from m2m import cli, work
from m2m.datasets.ingest import ingest
from m2m.datasets.params import IngestParams
from m2m.errors import Exit, InputError


class Seen(Exception):
    pass


@pytest.fixture
def limits(monkeypatch):
    """Limits of the items that a run would do; it ends there."""
    found = []

    def run(make_task, items, **_):
        found.extend(item.limit for item in items)
        raise Seen

    monkeypatch.setattr(work, "run", run)
    return found


@pytest.mark.parametrize(("options", "expected"), [([], [None]), (["--limit", "90"], [90.0])])
def test_augment_hands_its_limit_on(limits, make_video, tmp_path, options, expected):
    make_video("in/a.mp4", n=4)
    with pytest.raises(Seen):
        cli.main(["augment", str(tmp_path / "in"), str(tmp_path / "out"), *options])
    assert limits == expected


@pytest.mark.parametrize(("options", "expected"), [([], 3600), (["--limit", "90"], 90)])
def test_ingest_has_one_of_its_own_that_grows_with_the_file(limits, make_video, tmp_path, options, expected):
    make_video("in/a.mp4", n=4)
    with pytest.raises(Seen):
        cli.main(["ingest", str(tmp_path / "in"), str(tmp_path / "out"), *options])
    assert limits == [pytest.approx(expected, abs=5)]


def test_a_decoder_that_takes_too_long_is_stopped(make_video, tmp_path, capsys):
    make_video("in/a.mp4", n=4)
    with pytest.raises(InputError):  # there is no other clip
        ingest(str(tmp_path / "in"), tmp_path / "out", IngestParams(shards=1), limit=1e-9)
    assert "quarantined (error)" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "-3", "nan", "soon"])
def test_a_limit_is_a_positive_number(value, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["augment", str(tmp_path), str(tmp_path / "out"), "--limit", value])
    assert caught.value.code == Exit.USAGE and "--limit" in capsys.readouterr().err
