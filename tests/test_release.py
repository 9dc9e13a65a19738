"""What leaves the house: nothing of the sources, and only what the manifest vouches for."""

import dataclasses
import re
from pathlib import Path

import pytest

from m2m.clips import Clip, DatasetCard, data_hash, file_sha256, read_card, read_manifest, write_card, write_manifest
from m2m.errors import InputError
from m2m.release import keyed, read_key, release
from m2m.shards import building_of

SECRET_NAMES = ("R6llTwEh07w", "P001S05")


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "work"
    (folder / "videos").mkdir(parents=True)
    rows = []
    for i, name in enumerate(SECRET_NAMES):
        path = folder / "videos" / f"{name}.mp4"
        path.write_bytes(b"video" + bytes([i]))
        rows.append(Clip(name, f"videos/{name}.mp4", "wave", "train", file_sha256(path), 432, 240, 30, 1, 90, "ok", ""))
    rows.append(Clip("bad_P9", "", "wave", "train", "", 432, 240, 30, 1, 90, "quarantined", "verifier"))
    write_manifest(rows, folder / "clips.parquet")
    write_card(
        DatasetCard(
            name="my_secret_folder",
            variant="m2m",
            private=True,
            parameters={
                "size": "432x240",
                "body": {"smplx_path": "/home/alice/smplx", "model": "mannequin"},
                "detect": {"backend": "detectron2", "mask_rcnn": {"weights": "/home/alice/r101.pkl", "batch": 8}},
                "recover": {"backend": "osx", "osx": {"weights": "", "human_models": "/home/alice/models"}},
            },
            code_version="0",
            licences=("CC0",),
            parent="f" * 64,
            clips=2,
            quarantined=1,
            hash=data_hash(rows),
        ),
        folder,
    )
    return folder


def everything(folder: Path) -> bytes:
    return b"\n".join(
        str(p.relative_to(folder)).encode() + p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    )


def test_no_source_name_nor_parent_hash_leaves_the_house(dataset, tmp_path):
    card = release(dataset, tmp_path / "out")
    leaked = everything(tmp_path / "out")
    for secret in (*SECRET_NAMES, "my_secret_folder", "bad_P9", "f" * 64, "verifier", "alice"):
        assert secret.encode() not in leaked
    assert card.clips == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", c.clip_id) for c in read_manifest(tmp_path / "out" / "clips.parquet"))


def test_a_source_that_something_else_names_is_refused(dataset, tmp_path):
    card = dataclasses.replace(read_card(dataset), licences=("CC0", "by courtesy of P001S05"))
    write_card(card, dataset)
    with pytest.raises(InputError, match=r"names a source: 'p001s05'"):
        release(dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_videos_and_labels_are_the_same_and_ids_depend_on_the_key(dataset, tmp_path):
    release(dataset, tmp_path / "a")
    release(dataset, tmp_path / "b")
    assert everything(tmp_path / "a") == everything(tmp_path / "b")
    (tmp_path / "other.key").write_bytes(b"k" * 32)
    release(dataset, tmp_path / "c", tmp_path / "other.key")
    a, c = (read_manifest(tmp_path / n / "clips.parquet") for n in "ac")
    assert {x.clip_id for x in a}.isdisjoint(x.clip_id for x in c)
    assert {x.sha256 for x in a} == {x.sha256 for x in c}
    assert {x.label for x in a} == {"wave"}
    for clip in a:
        assert file_sha256(tmp_path / "a" / clip.path) == clip.sha256


def test_a_variant_that_shows_people_is_refused(dataset, tmp_path):
    write_card(dataclasses.replace(read_card(dataset), variant="mesh_on_real", private=False), dataset)
    with pytest.raises(InputError, match="mesh_on_real"):
        release(dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("over", [{"backend": "detectron2"}, {"backend": "embedded"}])
def test_a_trial_on_random_weights_is_refused(dataset, tmp_path, over):
    card = read_card(dataset)
    trial = {**card.parameters, "detect": {"mask_rcnn": {"weights": "random"}, **over}}
    write_card(dataclasses.replace(card, parameters=trial), dataset)
    if over["backend"] == "embedded":  # nobody loaded them
        release(dataset, tmp_path / "out")
        return
    with pytest.raises(InputError, match=r"a trial: detect/detectron2 had random weights"):
        release(dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_bytes_than_the_manifest_says_are_refused_and_nothing_is_left(dataset, tmp_path):
    (dataset / "videos" / f"{SECRET_NAMES[0]}.mp4").write_bytes(b"somebody else")
    with pytest.raises(InputError, match="other bytes"):
        release(dataset, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["work"]


def test_a_manifest_of_another_run_is_refused(dataset, tmp_path):
    rows = read_manifest(dataset / "clips.parquet")
    write_manifest([dataclasses.replace(rows[0], sha256="0" * 64), *rows[1:]], dataset / "clips.parquet")
    with pytest.raises(InputError, match="do not belong together"):
        release(dataset, tmp_path / "out")


def test_a_missing_video_is_refused(dataset, tmp_path):
    (dataset / "videos" / f"{SECRET_NAMES[0]}.mp4").unlink()
    with pytest.raises(InputError, match="not on disk"):
        release(dataset, tmp_path / "out")


def test_a_folder_in_use_is_not_written_over(dataset, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(InputError, match="not an empty folder"):
        release(dataset, tmp_path / "out")


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    key = read_key(tmp_path / "k" / "release.key")
    assert read_key(tmp_path / "k" / "release.key") == key and len(key) == 32
    assert (tmp_path / "k" / "release.key").stat().st_mode & 0o077 == 0
    (tmp_path / "short").write_bytes(b"abc")
    with pytest.raises(InputError, match="3 bytes"):
        read_key(tmp_path / "short")


def test_a_run_that_is_killed_while_it_makes_the_key_leaves_none_that_stops_the_next(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def die(_):
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("m2m.release.secrets.token_bytes", die)
        read_key(tmp_path / "release.key")
    assert len(read_key(tmp_path / "release.key")) == 32


def test_a_key_that_another_run_has_just_made_stays(tmp_path, monkeypatch):
    def late(n):
        (tmp_path / "release.key").write_bytes(b"k" * 32)
        return b"l" * n

    monkeypatch.setattr("m2m.release.secrets.token_bytes", late)
    assert read_key(tmp_path / "release.key") == b"k" * 32
    assert [p.name for p in tmp_path.iterdir()] == ["release.key"]


def test_two_releases_into_one_folder_do_not_mix(dataset, tmp_path):
    with building_of(tmp_path / "out") as other:
        (other / "half").write_bytes(b"of the other")
        with pytest.raises(InputError, match="another run is writing"):
            release(dataset, tmp_path / "out")
        assert (other / "half").exists()
    release(dataset, tmp_path / "out")
    assert not (tmp_path / "out/half").exists() and not (tmp_path / ".out.part").exists()


def test_keyed_names_do_not_run_parts_together():
    assert keyed(b"k" * 32, "ab", "c") != keyed(b"k" * 32, "a", "bc")
