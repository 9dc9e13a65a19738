"""Each official format gives the published counts, faults and all; what is listed and not there is told."""

import csv
import json
import shutil
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.clips import Clip, read_card, read_manifest
from m2m.datasets.formats import diving48, hmdb51, ikea_fa, kinetics, uav_human, ucf101
from m2m.datasets.ingest import ingest
from m2m.datasets.listed import Listed, read_classes, read_list, read_lists, write_lists
from m2m.datasets.official import FORMATS, Official, class_list, listing, load, official
from m2m.datasets.params import IngestParams
from m2m.datasets.snapshot import snapshot
from m2m.errors import InputError


def splits(rows):
    return dict(Counter(r.split for r in rows))


def test_ucf101s_three_splits_have_the_published_counts(shared):
    for fold, (train, val) in FORMATS["ucf101"].counts.items():
        rows = ucf101.read(shared / "lists/official/ucf101", fold)
        assert splits(rows) == {"train": train, "val": val} and len({r.label for r in rows}) == 101
        assert {r.label for r in rows if "HandStandPushups" in r.path} == {"HandstandPushups"}
    assert splits(ucf101.read(shared / "lists/official/ucf101", 1)) == {"train": 9537, "val": 3783}


def test_ucf101s_lists_as_others_pass_them_around_name_the_same_classes(shared, tmp_path):
    """Numbers begin at 0 there and at 1 in classInd.txt; paths have no suffix."""
    for name in ("train.csv", "val.csv"):
        shutil.copy(shared / "lists/downstream/ucf101" / name, tmp_path)
    lines = (shared / "lists/official/ucf101/classInd.txt").read_text().split("\n")
    (tmp_path / "classes.txt").write_text("\n".join(line.split()[1] for line in lines if line.strip()))
    ours = {(r.path.removesuffix(".avi"), r.label, r.split) for r in ucf101.read(shared / "lists/official/ucf101", 1)}
    assert {(r.path, r.label, r.split) for r in read_lists(tmp_path)} == ours


def test_hmdb51s_three_splits_have_the_published_counts(shared):
    for fold in (1, 2, 3):
        rows = hmdb51.read(shared / "lists/official/hmdb51", fold)
        assert splits(rows) == {"train": 3570, "val": 1530} and len({r.label for r in rows}) == 51
    theirs = read_lists(shared / "lists/downstream/hmdb51")
    rows = hmdb51.read(shared / "lists/official/hmdb51", 1)
    assert {(r.path, r.split) for r in theirs} == {(r.path.removesuffix(".avi"), r.split) for r in rows}
    # Their numbers are not in the order of the names, but each is one class.
    assert len({(r.label, r.path.split("/")[0]) for r in theirs}) == 51


def test_diving48_has_the_published_counts_and_no_class_30(shared, tmp_path):
    for kind, split in (("train", "train"), ("test", "val")):
        rows = [
            {"vid_name": r.path.rpartition("/")[2].removesuffix(".mp4"), "label": int(r.label), "start_frame": 0}
            for r in read_lists(shared / "lists/downstream/diving48")
            if r.split == split
        ]
        (tmp_path / f"Diving48_V2_{kind}.json").write_text(json.dumps(rows))
    rows = diving48.read(tmp_path, 1)
    assert splits(rows) == {"train": 15027, "val": 1970}
    assert sorted({r.label for r in rows}) == [f"{i:02d}" for i in range(48) if i != 30]
    (tmp_path / "Diving48_vocab.json").write_text(json.dumps([["Back", f"{i}som"] for i in range(48)]))
    assert diving48.read(tmp_path, 1)[0].label == "Back_0som"
    (tmp_path / "Diving48_V2_test.json").write_text('[{"vid_name": "a", "label": 48}]')
    with pytest.raises(InputError, match="not a row of Diving48"):
        diving48.read(tmp_path, 1)


def test_uav_human_and_ikea_fa_are_split_by_their_names(shared):
    for reader, name, folder, classes, counts in (
        (uav_human, "uav-human", "uav", 155, {"train": 16285, "val": 6191}),
        (ikea_fa, "ikea-fa", "ikea_furniture", 12, {"train": 1781, "val": 163}),
    ):
        theirs = read_lists(shared / "lists/downstream" / folder)
        rows = reader.read(r.path for r in theirs)
        assert splits(rows) == counts and [r.split for r in rows] == [r.split for r in theirs]
        assert len({(r.label, t.label) for r, t in zip(rows, theirs, strict=True)}) == classes
        assert FORMATS[name].counts[1] == (counts["train"], counts["val"])


def test_kinetics_names_its_files_by_id_and_time(shared, tmp_path):
    rows = kinetics.read(shared / "lists/official/kinetics400_val.csv", 1)
    assert splits(rows) == {"val": 19906} and len({r.label for r in rows}) == 400
    assert set(class_list("published")) | set(class_list("synapt")) <= {r.label for r in rows}
    assert rows[0] == Listed("val/abseiling/0wR5jVB-WPk_000417_000427", "abseiling", "val")
    (tmp_path / "a.csv").write_text("label,youtube_id\n")
    with pytest.raises(InputError, match="no column time_start"):
        kinetics.read(tmp_path, 1)
    (tmp_path / "a.csv").write_text("label,youtube_id,time_start,time_end,split\nwave,a,b,2,train\n")
    with pytest.raises(InputError, match="line 2"):
        kinetics.read(tmp_path, 1)


def test_kinetics_json_lists_the_same_videos_as_its_csv(shared, tmp_path):
    values = {}
    with (shared / "lists/official/kinetics400_val.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            segment = [float(row["time_start"]), float(row["time_end"])]
            about = {"label": row["label"], "segment": segment}
            values[row["youtube_id"]] = {"annotations": about, "duration": 10.0, "subset": "validate", "url": "x"}
    (tmp_path / "validate.json").write_text(json.dumps(values))
    by_csv = kinetics.read(shared / "lists/official/kinetics400_val.csv", 1)
    assert len(by_csv) == 19906
    assert kinetics.read(tmp_path, 1) == kinetics.read(tmp_path / "validate.json", 1) == by_csv
    # Releases hold both forms of one list.
    (tmp_path / "val.csv").write_text("label,youtube_id,time_start,time_end,split\nwave,a,1,2,train\n")
    assert kinetics.read(tmp_path, 1) == [Listed("train/wave/a_000001_000002", "wave", "train")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[]", "does not name its videos"), ("{", "cannot read"), ('{"a": 3}', "a is not as Kinetics"),
        ('{"a": {"annotations": {"segment": [1]}, "subset": "train"}}', "a is not as Kinetics"),
        ('{"a": {"annotations": {"segment": [1, 2], "label": "x"}, "subset": "other"}}', "a from 1 to 2 in other"),
        ('{"a": {"annotations": {"segment": [1, null], "label": "x"}, "subset": "val"}}', "a from 1 to None"),
        ('{"a": {"annotations": {"segment": [1, 2]}, "subset": "test"}}', "a has no label"),
        ('{"a": {"annotations": [{"segment": [1, 2], "label": "x"}], "subset": "train"}}', "a is not as Kinetics"),
    ],
)  # fmt: skip
def test_json_that_is_not_kinetics_is_refused(tmp_path, value, message):
    (tmp_path / "train.json").write_text(value)
    with pytest.raises(InputError, match=message):
        kinetics.read(tmp_path, 1)


@pytest.mark.parametrize("separator", [" ", ";"])
def test_mini_ssv2_has_the_published_number_of_test_clips_and_classes(tmp_path, separator):
    """As the benchmark's lists have it: how many there are to train on is not published."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/0.webm").write_bytes(b"x")
    train = [f"mini_ssv2/{i}.webm{separator}{i % 87}" for i in range(200)]
    val = [f"mini_ssv2/{i}.webm{separator}{i % 87}" for i in range(200, 200 + 11799)]
    for name, lines in (("train", train), ("val", val)):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    source = Official("mini-ssv2", str(tmp_path / "videos"), str(tmp_path))
    found = listing(source)
    assert Counter(c.split for c in found.clips) == {"train": 200, "val": 11799}
    assert len({c.label for c in found.clips}) == 87
    assert [c.clip_id for c in found.clips if c.status == "ok"] == ["mini_ssv2__0"]
    (tmp_path / "val.csv").write_text("\n".join(val[:-1]))
    with pytest.raises(InputError, match="11798 videos for val where 11799 were published"):
        listing(source)
    (tmp_path / "val.csv").write_text("\n".join([*val[:-1], f"mini_ssv2/x.webm{separator}87"]))
    with pytest.raises(InputError, match="88 classes where 87 were published"):
        listing(source)


def test_the_corrupt_path_of_diving48s_list_is_found_by_its_name(tmp_path):
    (tmp_path / "train.csv").write_text(
        "diving48/videos/a_00001.mp4;3\ndiving48/vninternideos/5hXbclLNSNA_00002.mp4;27\ndiving48/videos/b_1.mp4;3\n"
    )
    videos = tmp_path / "diving48" / "videos"
    videos.mkdir(parents=True)
    for name in ("a_00001", "5hXbclLNSNA_00002", "spare"):
        (videos / f"{name}.mp4").write_bytes(name.encode())
    found = listing(Official("list", str(tmp_path / "diving48"), str(tmp_path / "train.csv")))
    assert {(c.label, c.path.rpartition("/")[2], c.status) for c in found.clips} == {
        ("03", "a_00001.mp4", "ok"), ("27", "5hXbclLNSNA_00002.mp4", "ok"), ("03", "b_1.mp4", "quarantined"),
    }  # fmt: skip
    assert found.notes == (f"1 videos of {tmp_path / 'diving48'} are on no list and were left alone",)


def test_files_are_found_in_any_case_and_two_that_could_be_meant_are_refused(tmp_path):
    lists, videos = tmp_path / "train.txt", tmp_path / "videos"
    lists.write_text("HandstandPushups/v_HandStandPushups_g01_c01 0\nwalk/x.avi 1\n")
    for name in ("HandStandPushups/v_HandstandPushups_g01_c01.avi", "walk/x.mp4", "wave/x.mp4"):
        (videos / name).parent.mkdir(parents=True, exist_ok=True)
        (videos / name).write_bytes(name.encode())
    rows = {c.clip_id: c for c in listing(official("list", str(videos), str(lists))).clips}
    assert rows["HandstandPushups__v_HandStandPushups_g01_c01"].status == rows["walk__x"].status == "ok"
    assert rows["walk__x"].path.endswith("walk/x.mp4")
    (videos / "walk/x.avi").write_bytes(b"another")  # as listed, to the letter
    assert listing(official("list", str(videos), str(lists))).clips[1].path.endswith("walk/x.avi")
    (videos / "walk/x.avi").rename(videos / "walk/x.mkv")
    with pytest.raises(InputError, match=r"could both be the listed 'walk/x\.avi'"):
        listing(official("list", str(videos), str(lists)))


@pytest.fixture
def toy_hmdb(tmp_path, make_video):
    """Two classes of HMDB51 with a video too few, and one of code 0."""
    notes = tmp_path / "splits"
    notes.mkdir()
    (notes / "clap_test_split1.txt").write_text("a!!_clap_1.avi 1 \nb_clap_2.avi 2 \nc_clap_3.avi 0 \n")
    (notes / "wave_test_split1.txt").write_text("d_wave_1.avi 1 \ne_wave_2.avi 1 \n")
    for name in ("clap/a!!_clap_1", "clap/b_clap_2", "clap/c_clap_3", "wave/d_wave_1"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        make_video("made.mp4", n=3, seed=len(name)).rename(tmp_path / "videos" / f"{name}.mp4")
    return tmp_path


def test_missing_videos_are_rows_a_table_and_a_list_and_nothing_replaces_them(toy_hmdb):
    source = Official("hmdb51", str(toy_hmdb / "videos"), str(toy_hmdb / "splits"), published=False)
    out = toy_hmdb / "out"
    summary = ingest(source, out, IngestParams(), progress=False)
    rows = {r.clip_id: r for r in read_manifest(out / "clips.parquet")}
    assert {(i, r.label, r.split, r.status, r.reason) for i, r in rows.items()} == {
        ("clap__a__clap_1", "clap", "train", "ok", ""), ("clap__b_clap_2", "clap", "val", "ok", ""),
        ("wave__d_wave_1", "wave", "train", "ok", ""), ("wave__e_wave_2", "wave", "train", "quarantined", "missing"),
    }  # fmt: skip
    assert rows["wave__e_wave_2"].path == rows["wave__e_wave_2"].sha256 == ""
    assert (summary.clips, summary.quarantined, summary.missing) == (3, {}, {"wave": (1, 2)})
    assert list(csv.reader((out / "missing.csv").open())) == [
        ["label", "split", "path"], ["wave", "train", "wave/e_wave_2.avi"]
    ]  # fmt: skip
    assert "missing: 1 of the 2 listed videos of 1 classes" in str(summary) and "wave         1       2" in str(summary)
    assert read_card(out).licences == (FORMATS["hmdb51"].licence,)
    # The same from a YAML file, as a pipeline names it.
    (toy_hmdb / "hmdb.yaml").write_text("format: hmdb51\nvideos: videos\nannotations: splits\npublished: false\n")
    assert snapshot(str(toy_hmdb / "hmdb.yaml")).hash == summary.snapshot
    assert ingest(str(toy_hmdb / "hmdb.yaml"), toy_hmdb / "2", IngestParams(), progress=False).hash == summary.hash
    # Once it is there it comes in, and the list of missing ones goes.
    shutil.copy(toy_hmdb / "videos/clap/c_clap_3.mp4", toy_hmdb / "videos/wave/e_wave_2.mp4")
    summary = ingest(source, out, IngestParams(), progress=False)
    assert (summary.clips, summary.missing) == (4, {}) and not (out / "missing.csv").exists()


def test_a_missing_video_keeps_its_place_under_the_cap(toy_hmdb):
    source = Official("hmdb51", str(toy_hmdb / "videos"), str(toy_hmdb / "splits"), published=False)
    kept = []
    for seed in (9, 10):
        out = toy_hmdb / f"out{seed}"
        summary = ingest(source, out, IngestParams(max_per_class=1, seed=seed), progress=False)
        wave = [r for r in read_manifest(out / "clips.parquet") if r.label == "wave"]
        assert len(wave) == 1 and summary.left_out == 1
        kept.append(wave[0].reason)
    assert set(kept) == {"", "missing"}, "which one is kept is decided by seed, whether it is there or not"


def test_a_cut_list_and_a_wrong_source_are_refused(toy_hmdb, tmp_path):
    videos, notes = str(toy_hmdb / "videos"), str(toy_hmdb / "splits")
    with pytest.raises(InputError, match=r"3 videos for train where 3570 were published.*published: false"):
        listing(Official("hmdb51", videos, notes))
    for values, message in (
        (("hmdb", videos, notes), "format is one of"),
        (("hmdb51", videos, notes, 4), "has no split 4"),
        (("ucf101", videos), "needs annotations"),
    ):
        with pytest.raises(InputError, match=message):
            official(*values)
    with pytest.raises(InputError, match=r"no .*_test_split2\.txt"):
        listing(Official("hmdb51", videos, notes, 2))
    with pytest.raises(InputError, match="not a folder of videos"):
        listing(Official("hmdb51", str(tmp_path / "none"), notes))
    (toy_hmdb / "splits/wave_test_split1.txt").write_text("d_wave_1.avi 1\nd_wave_1.avi 2\n")
    with pytest.raises(InputError, match=r"list 'wave/d_wave_1\.avi' twice"):
        listing(Official("hmdb51", videos, notes, published=False))
    (toy_hmdb / "splits/wave_test_split1.txt").write_text("d_wave_1.avi 3\n")
    with pytest.raises(InputError, match="code 3, not 0, 1 or 2"):
        listing(Official("hmdb51", videos, notes, published=False))
    (tmp_path / "bad.yaml").write_text("format: hmdb51\nvideos: a\nannotation: b\n")
    with pytest.raises(InputError, match="unknown key 'annotation'"):
        load(tmp_path / "bad.yaml")


def test_ucf101s_numbers_must_be_those_of_classind(tmp_path):
    (tmp_path / "classInd.txt").write_text("1 A\r\n2 B\r\n")
    (tmp_path / "testlist01.txt").write_text("B/v_B_g01_c01.avi\n")
    for number in ("0", "2", "one"):
        (tmp_path / "trainlist01.txt").write_text(f"A/v_A_g01_c01.avi {number}\n")
        with pytest.raises(InputError, match="not of a class"):
            ucf101.read(tmp_path, 1)
    (tmp_path / "trainlist01.txt").write_text("A/v_A_g01_c01.avi 1\n")
    assert [(r.label, r.split) for r in ucf101.read(tmp_path, 1)] == [("A", "train"), ("B", "val")]


def test_sets_without_lists_are_read_from_their_names(tmp_path):
    for name in ("beekeeping/1.mp4", "bee_keeping/2.mp4"):
        (tmp_path / "synapt" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "synapt" / name).write_bytes(b"x")
    with pytest.raises(InputError, match="'beekeeping' is not one of SynAPT's"):
        listing(Official("synapt", str(tmp_path / "synapt")))
    shutil.rmtree(tmp_path / "synapt/beekeeping")
    found = listing(Official("synapt", str(tmp_path / "synapt")))
    assert [(c.label, c.split) for c in found.clips] == [("bee keeping", "")]
    assert found.notes == ("1 classes where 150 were published",)
    (tmp_path / "uav").mkdir()
    (tmp_path / "uav/P001S00G20B40H20UC072000LC021000A007R0_08241838.avi").write_bytes(b"x")
    (clip,) = listing(Official("uav-human", str(tmp_path / "uav"))).clips
    assert (clip.label, clip.split, clip.status) == ("A007", "val", "ok")
    for reader, name in ((uav_human, "a.avi"), (ikea_fa, "GOPR0022_04144_05129_09.MP4")):
        with pytest.raises(InputError, match="is not a name of"):
            reader.read([name])


rows = st.lists(
    st.tuples(st.from_regex(r"[a-z][a-z ;_]{0,8}[a-z]", fullmatch=True), st.sampled_from("abcdefghijk")),
    min_size=1, max_size=20, unique_by=lambda r: r[0],
)  # fmt: skip


@given(rows, st.sampled_from([" ", ";"]))
def test_what_is_written_as_a_list_is_read_back(tmp_path_factory, values, separator):
    folder = tmp_path_factory.mktemp("lists")
    clips = [
        Clip(f"c{i}", f"videos/{p}.mp4", label, "train" if i % 2 else "val") for i, (p, label) in enumerate(values)
    ]
    clips.append(Clip("x", "", "z", "train", status="quarantined", reason="missing"))
    written = write_lists(clips, folder, separator, "/data/")
    assert {p.stem for p in written} == {c.split for c in clips[:-1]}
    back = {(r.path, r.label, r.split) for r in read_lists(folder)}
    assert back == {(f"data/{c.path}", c.label, c.split) for c in clips[:-1]}
    assert sorted(read_classes(folder / "classes.txt").values()) == sorted({label for _, label in values})


def test_a_list_that_is_none_is_refused(tmp_path):
    for text, message in (("", "lists no video"), ("a.mp4\n", "line 1"), ("a.mp4;0\nb.mp4\n", "line 1")):
        (tmp_path / "train.csv").write_text(text)
        with pytest.raises(InputError, match=message):
            read_list(tmp_path / "train.csv")
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no list in"):
        read_lists(tmp_path / "none")
    (tmp_path / "train.csv").write_text("a.mp4 5\n")
    (tmp_path / "classes.txt").write_text("walk\nwave\n")
    with pytest.raises(InputError, match="no class 5"):
        read_lists(tmp_path / "train.csv")
    with pytest.raises(InputError, match="has no split"):
        write_lists([Clip("a", "a.mp4", "walk")], tmp_path)
