"""The command line as a user meets it: messages and exit codes, never a traceback."""

import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from m2m import video
from m2m.cli import main
from m2m.clips import read_manifest


def failed(capsys, *argv):
    code = main([str(a) for a in argv])
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return code, text


def test_every_command_explains_itself():
    done = subprocess.run([sys.executable, "-m", "m2m", "--help"], capture_output=True, text=True, check=True)
    commands = re.findall(r"^    ([a-z]+) ", done.stdout, re.MULTILINE)
    assert {"augment", "ingest", "curate", "audit", "pretrain", "register"} <= set(commands)
    for command in commands:
        subprocess.run([sys.executable, "-m", "m2m", command, "--help"], capture_output=True, check=True)


@pytest.mark.parametrize("argv", [[], ["augment"], ["augment", "a"], ["paint", "a", "b"], ["augment", "a", "b", "--x"]])
def test_usage_errors_exit_with_2(argv):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2


def test_a_missing_path_and_an_empty_folder(tmp_path, capsys):
    code, text = failed(capsys, "augment", tmp_path / "none", tmp_path / "out")
    assert code == 1 and "does not exist" in text
    (tmp_path / "empty").mkdir()
    code, text = failed(capsys, "augment", tmp_path / "empty", tmp_path / "out")
    assert code == 1 and "no video" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--variant", "sepia"], "variant is one of"),
        (["--body", "child"], "body.gender must be"),
        (["--size", "431x240"], "even"),
        (["--keep", "faces"], "keep is any of"),
        (["--on-doubt", "pass"], "on_doubt"),
        (["--workers", "0"], "--workers"),
        (["--profile", "desktop"], "unknown profile"),
        (["--params", "none.yaml"], "cannot read"),
    ],
)
def test_wrong_options_are_named(tmp_path, capsys, option, message):
    (tmp_path / "a.mp4").write_bytes(b"x")
    code, text = failed(capsys, "augment", tmp_path / "a.mp4", tmp_path / "out", *option)
    assert code == 1 and message in text
    assert not (tmp_path / "out").exists()


def test_a_file_of_parameters_counts_where_no_profile_is_named(tmp_path, capsys, monkeypatch):
    """No profile that nobody named lies over it."""
    monkeypatch.setenv("M2M_WEIGHTS", str(tmp_path))
    (tmp_path / "a.mp4").write_bytes(b"x")
    own = tmp_path / "own.yaml"
    own.write_text("augment: {inpaint: {backend: e2fgvi-hq}, body: {model: smplx}, use: commercial}")
    code, text = failed(capsys, "augment", tmp_path / "a.mp4", tmp_path / "out", "--params", own)
    assert code == 1 and "inpaint/e2fgvi-hq" in text and "body/smplx" in text


def test_a_seed_below_0_is_named(tmp_path, capsys):
    code, text = failed(capsys, "pretrain", tmp_path, tmp_path / "out", "--seed", "-1")
    assert code == 1 and "--seed must be 0 or more, not -1" in text


def test_output_below_a_file_and_output_that_is_the_input(tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"x")
    code, text = failed(capsys, "augment", tmp_path / "a.mp4", tmp_path / "a.mp4" / "out")
    assert code in (1, 5) and "cannot write" in text
    code, text = failed(capsys, "augment", tmp_path, tmp_path)
    assert code == 1 and "the input itself" in text


def test_input_and_output_must_not_lie_in_each_other(tmp_path, capsys):
    (tmp_path / "data" / "videos").mkdir(parents=True)
    (tmp_path / "data" / "videos" / "a.mp4").write_bytes(b"x")
    for source, out in (("data", "data/out"), ("data/videos", "data"), ("data/videos/a.mp4", "data")):
        code, text = failed(capsys, "augment", tmp_path / source, tmp_path / out)
        assert code == 1 and "inside" in text
    assert [p.name for p in tmp_path.rglob("*")] == ["data", "videos", "a.mp4"]


def test_files_that_are_no_videos_are_quarantined_and_the_rest_goes_on(tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "zero.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is not a video\n" * 50)
    with video.Writer(folder / "empty_room.mp4", (128, 96), Fraction(25)) as writer:
        for i in range(30):
            writer.write(np.full((96, 128, 3), 90 + i % 3, np.uint8))
    code = main(["augment", str(folder), str(out), "--allow-empty", "--size", "128x96"])
    assert code == 3
    rows = {c.clip_id: c for c in read_manifest(out / "clips.parquet")}
    assert {k: (c.status, c.reason) for k, c in rows.items()} == {
        "empty_room": ("ok", ""),
        "text": ("quarantined", "unreadable"),
        "zero": ("quarantined", "unreadable"),
    }
    assert [p.name for p in (out / "videos").iterdir()] == ["empty_room.mp4"]
    page = (out / "report.html").read_text()
    assert "zero" in page and "unreadable" in page
    printed = capsys.readouterr().out
    assert "1 clips released" in printed and "quarantined zero" in printed


def test_release_of_what_is_no_data_set(tmp_path, capsys):
    code, text = failed(capsys, "release", tmp_path, tmp_path / "out")
    assert code == 1 and "dataset.json" in text


def test_commands_of_two_words_explain_themselves_and_refuse_what_is_no_data_set(tmp_path, capsys):
    for word, more in (("review", []), ("decide", ["d.json"]), ("certify", []), ("verify", [])):
        with pytest.raises(SystemExit) as caught:
            main(["audit", word, "--help"])
        assert caught.value.code == 0 and f"audit-{word}" in capsys.readouterr().out
        code, text = failed(capsys, "audit", word, tmp_path, *more)
        assert code == 1 and text
    code, text = failed(capsys, "audit", "review", tmp_path, "--sample", "-1")
    assert code == 1 and "sample is 0 or more" in text
    code, text = failed(capsys, "audit", "review", tmp_path / "none")
    assert code == 1 and "is not a data set" in text
