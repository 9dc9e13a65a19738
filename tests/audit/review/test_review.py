"""From page to decisions: what the page holds and what it does not, what is recorded, and what is refused."""

import base64
import json
import re
import stat

import numpy as np
import pytest

from m2m.audit.decisions import read_reviews
from m2m.audit.gate import gate
from m2m.audit.params import AuditParams, GateParams
from m2m.audit.review import items as module
from m2m.audit.review import media
from m2m.audit.review.answers import read_answers
from m2m.audit.review.build import build, copied, open_dataset
from m2m.audit.review.key import read_key
from m2m.audit.review.sample import ReviewParams
from m2m.audit.review.settle import decide
from m2m.audit.rows import Check, read_audit, write_audit
from m2m.clips import MANIFEST, read_card, read_manifest, write_card, write_manifest
from m2m.errors import GateError, InputError
from m2m.video import read
from tests.audit.audited import ALIEN, SEEN, audited, doubted, reviewed, saved, truth
from tests.sets import publish_set, write_set

FAILED = {"class0_1": {"faces": SEEN}, "class0_2": {"bytes": Check(False, {"why": "other bytes"})}}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A data set of which one clip fails, with its page: 3 clips drawn, 10 plants."""
    folder = audited(tmp_path_factory.mktemp("base") / "set", clips=4, changed={"class0_1": {"faces": SEEN}})
    return folder, reviewed(folder, sample=3)


@pytest.fixture
def folder(tmp_path):
    return audited(tmp_path / "set", changed=FAILED)


def data(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def sample(page):
    """Videos of the sample by item, in order."""
    return dict(re.findall(r'<script type="text/plain" id="v([0-9a-f]+)">(.*?)</script>', page))


def test_the_page_does_not_tell_which_are_plants(base):
    _, done = base
    page = done.page.read_text()
    items = sample(page)
    assert len(items) == 13 and done.key.count("plant") == 10
    assert data(page)["sample"] == list(items)  # ids, and beside them the videos
    planted = {i.item for i in done.key.items if i.part == "plant"}
    assert [i in planted for i in items] != sorted(i in planted for i in items)
    assert len({len(video) for video in items.values()}) == 1
    assert {i.sha256 for i in done.key.items}.isdisjoint(re.findall(r"[0-9a-f]{64}", page))


def test_plants_are_in_the_videos_and_clips_of_the_sample_are_as_they_are(base, tmp_path):
    folder, done = base
    clips = {c.clip_id: c for c in read_manifest(folder / MANIFEST)}
    shown = {i: base64.b64decode(video.partition(",")[2]) for i, video in sample(done.page.read_text()).items()}
    for item in done.key.items:
        if item.part == "doubtful":
            continue
        bare = media.encoded(folder / clips[item.clip_id].path)
        assert (shown[item.item] == bare) == (item.part == "sample")
        if item.part == "plant":
            x0, y0, x1, y1 = item.plant["box"]
            box = (slice(max(0, y0), y1), slice(max(0, x0), x1))
            frames, own = (decoded(tmp_path, data)[(slice(None), *box)] for data in (shown[item.item], bare))
            first, n = item.plant["first"], item.plant["frames"]
            assert (abs(frames - own).mean((1, 2, 3))[first : first + n] > 3).all(), item.plant


def decoded(folder, video):
    """The frames of a video, (T, H, W, 3)."""
    (folder / "clip.mp4").write_bytes(video)
    return np.stack([frame.image.astype(int) for frame in read(folder / "clip.mp4")])


def test_names_and_notes_stay_text(base):
    page = base[1].page.read_text()
    assert ALIEN not in page and "&lt;script&gt;alert(1)" in page
    assert page.count("<script") == 2 + len(sample(page))


def test_page_key_and_secret_are_for_their_owner_alone(base):
    _, done = base
    for path in done.page.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(done.page.parent.stat().st_mode) == 0o700
    assert read_key(done.key.review, base[0]) == done.key


def test_the_same_question_is_the_same_review_and_another_is_not(folder):
    one = reviewed(folder, sample=2, plants=1)
    two = reviewed(folder, sample=2, plants=1)
    assert two.again and not one.again and one.key == two.key
    assert reviewed(folder, sample=2, plants=1, seed=1).key.review != one.key.review
    rows, about = read_audit(folder)
    write_audit(folder, rows, {**about, "certificate": {}})
    assert reviewed(folder, sample=2, plants=1).again  # a certificate changes no question
    write_audit(folder, rows[:1], about)
    assert reviewed(folder, sample=2, plants=1).key.review != one.key.review


def test_a_doubtful_clip_is_shown_with_its_box(base):
    found = data(base[1].page.read_text())["doubtful"]
    assert found[0]["clip"] == "class0_1" and found[0]["why"] == "failed" and found[0]["settles"] == ["faces"]
    panes = found[0]["stills"][0]["panes"]
    assert [p["name"] for p in panes] == ["finished"] and panes[0]["close"].startswith("data:image/png;base64,")
    assert "This page shows the original people" not in base[1].page.read_text()


def test_originals_are_shown_beside_only_if_they_are_named(folder, tmp_path):
    write_set(tmp_path / "originals", classes=1, clips=3, variant="real")
    done = build(folder, tmp_path / "originals", ReviewParams(), AuditParams())
    page = done.page.read_text()
    assert "This page shows the original people" in page
    first = data(page)["doubtful"][0]
    assert [p["name"] for p in first["stills"][0]["panes"]] == ["finished", "original"]
    write_set(tmp_path / "others" / "b", classes=1, clips=1, variant="real")
    for clip in (tmp_path / "others" / "b").rglob("*.mp4"):
        clip.rename(tmp_path / "others" / "else.mp4")
    (tmp_path / "others" / "b" / "clips.parquet").unlink()
    with pytest.raises(InputError, match="was made from"):
        build(folder, tmp_path / "others", ReviewParams(), AuditParams())


def test_answers_become_decisions_and_a_bound(tmp_path):
    folder = audited(tmp_path / "set", clips=4, changed={"class0_1": {"faces": SEEN}})
    done = reviewed(folder, sample=4, plants=3)
    with pytest.raises(GateError, match="class0_1"):
        gate(folder, GateParams())
    answers = {**truth(done), doubted(done, "class0_1"): "nothing"}
    found = decide(folder, saved(tmp_path / "a.json", done, answers))
    assert found == read_reviews(folder, read_card(folder).hash)
    assert found.bound.bound == pytest.approx(1 - 0.05**0.25) and found.bound.sensitivity == 1
    assert gate(folder, GateParams()).cleared == 1
    assert (found.tallies[0].reviewer, found.tallies[0].page, found.tallies[0].changed) == ("R. Ott", "1", 0)
    decide(folder, tmp_path / "a.json")  # again changes nothing
    assert len(read_answers(done.key, folder)) == len(answers)
    shown = next(i for i in done.key.items if i.part == "sample" and i.clip_id == "class0_0").item
    found = decide(folder, saved(tmp_path / "b.json", done, {shown: "somebody"}))
    assert found.tallies[0].changed == 1 and found.tallies[0].found == 1
    with pytest.raises(GateError, match=r"class0_0 \(a person saw: face, says R. Ott\)"):
        gate(folder, GateParams())


def test_a_plant_that_is_seen_says_nothing_of_its_clip_and_one_that_is_missed_weakens_the_bound(tmp_path):
    folder = audited(tmp_path / "set", clips=3)
    done = reviewed(folder, sample=3, plants=2)
    plants = [i.item for i in done.key.items if i.part == "plant"]
    found = decide(folder, saved(tmp_path / "a.json", done, {**truth(done), plants[0]: "nothing"}))
    assert found.bound.sensitivity == 0.5 and found.bound.bound == 1.0
    assert not [d for d in found.decisions if d.verdict == "somebody"]
    assert gate(folder, GateParams()).released == 3


def test_two_reviewers_count_apart_and_a_gap_gives_no_bound(tmp_path):
    folder = audited(tmp_path / "set", clips=3)
    done = reviewed(folder, sample=3, plants=1)
    decide(folder, saved(tmp_path / "a.json", done, truth(done)))
    some = dict(list(truth(done).items())[:-1])
    found = decide(folder, saved(tmp_path / "b.json", done, some, reviewer="B"))
    assert {t.reviewer: t.bound.bound is None for t in found.tallies} == {"R. Ott": False, "B": True}


@pytest.mark.parametrize(
    ("over", "match"),
    [
        ({"review": "0" * 32}, "has no review"),
        ({"review": "../../etc"}, "has no review"),
        ({"dataset": "0" * 64}, "another data set or page"),
        ({"page": "0"}, "another data set or page"),
        ({"schema": 2}, "not what the page of a review saves"),
        ({"answers": []}, "has no answer"),
        ({"answers": [3]}, "damaged"),
        ({"answers": [{"item": "nope", "verdict": "nothing"}]}, "has no item"),
        ({"reviewer": ""}, "does not say who"),
        ({"reviewer": "x" * 81}, "1 to 80 letters"),
    ],
)
def test_a_file_that_is_none_is_refused(folder, tmp_path, over, match):
    done = reviewed(folder)
    with pytest.raises(InputError, match=match):
        decide(folder, saved(tmp_path / "a.json", done, {done.key.items[0].item: "nothing"}, **over))
    assert not (folder / "review.json").exists()


def test_odd_answers_are_refused(folder, tmp_path):
    done = reviewed(folder)
    item = done.key.items[0].item
    for change in ({"verdict": "maybe"}, {"seen": ["aura"]}, {"seen": [{}]}, {"note": "x" * 2001}, {"at": "yesterday"}):
        answers = [{"item": item, "verdict": "somebody", **change}]
        with pytest.raises(InputError):
            decide(folder, saved(tmp_path / "a.json", done, {}, answers=answers))
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match="not what the page"):
        decide(folder, tmp_path / "a.json")
    with pytest.raises(InputError, match="cannot read"):
        decide(folder, tmp_path / "none.json")
    with pytest.raises(InputError, match="leave --reviewer out"):
        decide(folder, saved(tmp_path / "a.json", done, {item: "nothing"}), "somebody else")


def test_decisions_about_another_file_or_data_set_are_refused(folder, tmp_path):
    done = reviewed(folder)
    file = saved(tmp_path / "a.json", done, {done.key.items[0].item: "nothing"})
    rows = read_manifest(folder / MANIFEST)
    write_manifest(rows[1:], folder / MANIFEST)
    with pytest.raises(InputError, match="is of the data set"):
        decide(folder, file)
    write_manifest(rows, folder / MANIFEST)
    write_card(read_card(folder), folder)
    decide(folder, file)


def test_a_line_that_was_cut_off_is_left_out(folder, tmp_path):
    done = reviewed(folder)
    item = done.key.items[0].item
    decide(folder, saved(tmp_path / "a.json", done, {item: "nothing"}))
    journal = next(done.page.parent.glob("*.jsonl"))
    with journal.open("a") as file:
        file.write('{"item": "')
    decide(folder, saved(tmp_path / "a.json", done, {item: "somebody"}))
    assert [a.verdict for a in read_answers(done.key, folder)] == ["nothing", "somebody"]


def test_a_clip_with_other_bytes_is_not_shown(folder):
    path = folder / "videos" / "class0_1.mp4"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match="other bytes"):
        reviewed(folder, sample=3)
    shown = data(reviewed(folder).page.read_text())["doubtful"]
    assert [d["video"] != "" for d in shown] == [d["clip"] != "class0_1" for d in shown]


def test_a_published_data_set_gets_a_folder(folder, tmp_path, monkeypatch):
    from m2m.store import open_store

    store = open_store(tmp_path / "store")
    monkeypatch.setenv("M2M_STORE", store.uri)
    identity = publish_set(folder, store, tmp_path)
    with pytest.raises(InputError, match="needs --out"):
        open_dataset(identity, None)
    out = open_dataset(identity, tmp_path / "out")
    rows, about = read_audit(folder)
    write_audit(out, rows, about)
    assert open_dataset(identity, tmp_path / "out") == out
    done = reviewed(out, sample=1, plants=1)
    assert copied(done, tmp_path / "copy").read_bytes() == done.page.read_bytes()
    with pytest.raises(InputError, match="is not a data set"):
        open_dataset(str(tmp_path / "none"), None)


def test_a_round_length_tells_little_of_what_is_in_it():
    lengths = {len(media.padded(bytes(n))) for n in range(1, 400_000, 997)}
    assert len(lengths) < 22
    assert all(
        n + 8 <= len(media.padded(bytes(n))) <= max(1 << 14, 1.26 * n + 32) for n in (1, 20_000, 65_528, 65_530, 10**6)
    )


def test_a_page_that_no_browser_opens_is_refused(folder, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 30_000)
    with pytest.raises(InputError, match="--sample"):
        reviewed(folder, sample=3, plants=0)
