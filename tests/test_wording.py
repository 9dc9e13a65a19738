"""What is shown of a text: no password, no control character, and never a traceback for a strange name."""

import csv
import io
import json

import pytest

from m2m import doctor
from m2m.cli import main
from m2m.clips import Clip
from m2m.errors import GateError, InputError, QuarantineError
from m2m.params import AugmentParams
from m2m.register import sources
from m2m.store import open_store
from m2m.tracking import tracking_uri
from m2m.wording import printable, say, secret_in, shown
from pipelines.__main__ import main as pipelines

SECRET = "c4n4ry"
ADDRESSES = [
    f"http://user:{SECRET}@host:5000/path",
    f"https://{SECRET}@github.com/a/b.git",
    f"postgresql+psycopg2://mlflow:{SECRET}@db/mlflow",
    f"http://user:a@{SECRET}@host",
    f"postgresql://user:a/{SECRET}@host/db",
    f"s3://key:{SECRET}@bucket/prefix",
]
HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\r\u202egnp.exe\u2066\x00\udcff"


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_error_names_a_password(address):
    for text in (address, f"cannot reach '{address}': refused", f'{{"a":"{address}","b":1}}'):
        for error in (InputError(text, text), GateError(text), QuarantineError("unreadable", text)):
            assert SECRET not in f"{error} {error.what} {error.next_step} {error.args}"
        assert secret_in(text)


def test_addresses_without_a_password_stay_as_they_are():
    for text in ("http://host:5000/a@b", "s3://bucket/prefix", "mail a@b.c", "git@host:path", "sqlite:////tmp/x.db"):
        assert shown(text) == text and not secret_in(text)
    assert not secret_in("ssh://git@host/path.git")  # a user, and no secret
    assert not secret_in(json.dumps({"a": "http://host:5000", "b": "somebody@host"}))


def test_stores_the_tracker_and_the_doctor_name_no_password(tmp_path, monkeypatch):
    for address in ADDRESSES:
        with pytest.raises(InputError) as refused:
            open_store(address)
        assert SECRET not in str(refused.value)
    with pytest.raises(InputError) as refused:
        tracking_uri(tmp_path, f"ftp://user:{SECRET}@host")
    assert SECRET not in str(refused.value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ADDRESSES[0])
    monkeypatch.setenv("M2M_STORE", ADDRESSES[-1])
    monkeypatch.setattr(doctor, "PROBES", {name: doctor.PROBES[name] for name in ("store/data", "tracking")})
    said = str(doctor.examine(AugmentParams()))
    assert SECRET not in said and "host:5000" in said


@pytest.mark.parametrize(
    "option", [["purge", "--dataset", "ab" * 32, "--repository"], ["dataset", "--source", "s3://a/b"]]
)
def test_a_pipeline_is_given_no_password(tmp_path, capsys, option):
    given = [ADDRESSES[1]] if option[-1] == "--repository" else ["--set", f"register.repository={ADDRESSES[1]}"]
    assert pipelines(["run", *option, *given, "--root", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "every run would keep" in err and SECRET not in out + err
    assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_names_steer_no_terminal(tmp_path, capsys):
    (tmp_path / "a.csv").write_text(f'path\n"{HOSTILE[:-2]}.mp4"\n', newline="")
    for argv in (
        ["pack", f"{tmp_path}/{HOSTILE[:-2].replace(chr(0), '')}", "out"],
        ["ingest", f"{tmp_path}/a.csv", "o"],
    ):
        assert main(argv) == 1
        err = capsys.readouterr().err
        assert "\\x1b[2J" in err and "\\u202e" in err
        assert printable(err) == err
    with pytest.raises(SystemExit):
        main(["gate", "a", "\x1b[2J.mp4"])  # as a shell's * names it
    err = capsys.readouterr().err
    assert "\\x1b[2J.mp4" in err and "\x1b" not in err


def test_a_spreadsheet_computes_no_name():
    rows = [Clip(f"c{i}", "", label, "train", "0") for i, label in enumerate(["=cmd()", "+1", "-1", "@a", "a=b"])]
    table = list(csv.reader(io.StringIO(sources(rows).decode())))
    assert [row[1] for row in table[1:]] == ["'=cmd()", "'+1", "'-1", "'@a", "a=b"]


def test_every_line_can_be_printed_on_every_stream():
    for encoding in ("ascii", "latin-1", "utf-8"):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding)
        say(f"e\u0301 日本 {HOSTILE}\tb\n", stream)
        text = raw.getvalue().decode(encoding)
        assert text.endswith("\tb\n\n") and printable(text) == text
    assert printable("e\u0301 日本 👩\u200d🔬") == "e\u0301 日本 👩\u200d🔬"
