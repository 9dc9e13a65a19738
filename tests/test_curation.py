"""Selections are measured on clips that had no part in them; the page and its figures; comparisons by name."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from m2m.cli import main
from m2m.clips import file_sha256, read_manifest
from m2m.curate.bias import centres
from m2m.curate.dataset import curate
from m2m.curate.params import CurateParams
from m2m.curate.worth import compare, held_out, lay_out, read_any, study
from m2m.curation import report_selections
from m2m.datasets.official import class_list
from m2m.errors import InputError
from m2m.train.checkpoints import write_trained
from m2m.train.evaluate import evaluate
from m2m.train.gap import frame_gap
from m2m.train.videomae import Classifier
from m2m.video import VideoParams, Writer
from tests.train.toysets import EVALUATE, INPUT, MODEL, make_set, rewrite

LABELS = ("bow", "clap", "down", "right")
PARAMS = CurateParams(classes=2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_set(tmp_path_factory.mktemp("sets") / "set", train=4, val=2, labels=LABELS)


@pytest.fixture(scope="module")
def selected(dataset):
    out = dataset.parent / "selected"
    return out, curate(dataset, out, PARAMS, progress=False)


@pytest.fixture(scope="module")
def checkpoint(dataset):
    """A classifier of the four classes that nobody has trained."""
    torch.manual_seed(0)
    model = Classifier(MODEL, 4)
    torch.nn.init.normal_(model.head.weight)
    write_trained(dataset.parent / "model/checkpoint.pt", "evaluate", MODEL, model.state_dict(), classes=list(LABELS))
    return dataset.parent / "model"


def test_a_selection_is_measured_on_other_clips_than_it_was_made_of(dataset, selected):
    (dataset.parent / "list.txt").write_text("clap\nright\ndown\n")
    names = [str(selected[0]), str(dataset.parent / "list.txt")]
    found = study(dataset, names, PARAMS, progress=False)
    assert (found.train, found.test, found.classes, found.encoder) == (16, 8, LABELS, "embedded-1")
    first, second = found.worths
    assert (first.own, second.own) == (True, False)
    assert second.selection.selected == ("clap", "down", "right")
    for worth, k in ((first, 2), (second, 3)):
        figures = {m.name: m for m in worth.measures}
        assert figures["RESOUND bias, linear"].clips == 2 * k and figures["entropy of clips per class"].value == 1
        assert all(m.subsets == 200 and 0 <= m.percentile <= 100 for m in worth.measures)
        assert -8 < figures["RESOUND bias, nearest mean"].value <= np.log(k)
    # The same again, and other random subsets with another seed.
    assert study(dataset, names, PARAMS, progress=False).worths == found.worths
    other = study(dataset, names, replace(PARAMS, seed=1), subsets=300, progress=False).worths[0].measures
    assert {m.subsets for m in other} == {300}


def test_no_clip_is_on_both_sides(dataset, tmp_path):
    rows = read_manifest(dataset / "clips.parquet")
    train = [r for r in rows if r.split == "train"]
    assert {c.clip_id for c in held_out(rows, train)} == {r.clip_id for r in rows if r.split == "val"}
    copied = [replace(r, sha256=train[0].sha256) if r.clip_id == "bow_5" else r for r in rows]
    assert "bow_5" not in {c.clip_id for c in held_out(copied, train)}, "the same bytes under another name"
    tested = [replace(r, split="test") if r.split == "val" else r for r in rows]
    assert len(held_out(tested, train)) == 8
    with pytest.raises(InputError, match="no clip to test on"):
        held_out(train, train)


def test_what_motion_adds_is_the_same_model_shown_one_frame_over_and_over(dataset, checkpoint, tmp_path):
    gap = frame_gap(dataset, checkpoint, EVALUATE, MODEL)
    rows = [r for r in read_manifest(dataset / "clips.parquet") if r.split == "val"]
    assert gap.classes == LABELS and gap.clips == tuple(r.clip_id for r in rows)
    assert gap.one.shape == gap.all.shape == (8, 4) and np.allclose(gap.one.sum(1), 1)
    assert not np.allclose(gap.one, gap.all)
    # Of a clip that stands still both are the same.
    still = make_set(tmp_path / "still", train=1, val=1, labels=LABELS)
    frame = np.random.default_rng(1).integers(0, 255, (48, 72, 3), np.uint8)
    for row in read_manifest(still / "clips.parquet"):
        with Writer(still / row.path, (72, 48), Fraction(12), VideoParams(preset="ultrafast", crf=0)) as writer:
            for _ in range(12):
                writer.write(frame)
    rewrite(still, [replace(r, sha256=file_sha256(still / r.path)) for r in read_manifest(still / "clips.parquet")])
    gap = frame_gap(still, checkpoint, EVALUATE, MODEL)
    assert gap.one == pytest.approx(gap.all, abs=1e-4)
    write_trained(tmp_path / "checkpoint.pt", "pretrain", MODEL, {"encoder.x": torch.zeros(1)})
    with pytest.raises(InputError, match="is not a classifier"):
        frame_gap(dataset, tmp_path / "checkpoint.pt", EVALUATE, MODEL)


def test_a_trained_model_gains_by_motion_where_one_frame_tells_nothing(tmp_path):
    """Two classes of a colour each, which one frame tells, and two of one look, which only their motion tells."""
    made = make_set(tmp_path / "set", train=12, val=6, labels=("blue", "down", "red", "right"))
    recipe = replace(EVALUATE.ft, epochs=100, warmup=2, batch=8, lr=3e-3, input=replace(INPUT, crop=1.0, jitter=0.0))
    params = replace(EVALUATE, ft=recipe)
    evaluate(made, None, tmp_path / "model", params, MODEL)
    for name, classes in (("colour", "blue\nred\n"), ("motion", "down\nright\n")):
        (tmp_path / f"{name}.txt").write_text(classes)
    names = [str(tmp_path / f"{name}.txt") for name in ("colour", "motion")]
    done = report_selections(made, names, tmp_path / "out", PARAMS, model=(tmp_path / "model", params, MODEL))
    colour, motion = (w.measures[-1] for w in done.study.worths)
    assert colour.name == motion.name == "top-1 from all frames less top-1 from one"
    assert (colour.clips, colour.subsets, motion.clips, motion.subsets) == (12, 200, 12, 200)
    assert abs(colour.value) < 0.1 and motion.value > 0.2
    assert colour.percentile < 50 < motion.percentile


def test_the_page_has_figures_map_and_clusters(dataset, selected, checkpoint, tmp_path):
    done = report_selections(dataset, [str(selected[0])], tmp_path / "out", PARAMS, model=(checkpoint, EVALUATE, MODEL))
    page = (tmp_path / "out/curation.html").read_text()
    assert page.count("<svg") == 1 and 'http-equiv="refresh"' not in page and "<script" not in page
    for label in selected[1].classes:
        assert f"{label}</text>" in page or f"> {label}<" in page or label in page[page.index("<svg") :]
    figures = json.loads((tmp_path / "out/curation.json").read_text())
    (one,) = figures["selections"]
    assert one["classes"] == list(selected[1].classes) and one["made_on_these_clips"]
    names = [m["name"] for m in one["measures"]]
    assert "top-1 from all frames less top-1 from one" in names and len(names) == 5
    assert "percentile" in str(done) and str(tmp_path / "out/curation.html") in str(done)
    again = tmp_path / "again"
    report_selections(dataset, [str(selected[0])], again, PARAMS, model=(checkpoint, EVALUATE, MODEL))
    assert (again / "curation.html").read_bytes() == (tmp_path / "out/curation.html").read_bytes()


def test_the_command_line_knows_report_and_compare(dataset, selected, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["curate", "report", str(dataset), out, "--selection", str(selected[0])]) == 0
    assert "RESOUND bias, linear" in capsys.readouterr().out
    assert main(["--debug", "curate", "compare", "published", "synapt"]) == 0
    assert "shared: 60 (56.2 expected by chance" in capsys.readouterr().out
    assert main(["curate", "report", str(dataset), out, "--selection", "synapt"]) == 1
    assert "that the data set does not have" in capsys.readouterr().err
    assert main(["curate", str(dataset), str(tmp_path / "two"), "--classes", "3", "--method", "random"]) == 0


def test_a_comparison_counts_what_is_shared_and_what_chance_would(selected, tmp_path):
    (tmp_path / "a.txt").write_text("Bow\nclap\n")
    found = compare(str(selected[0]), str(tmp_path / "a.txt"))
    shared = set(selected[1].classes) & {"bow", "clap"}
    assert (found.total, found.sizes, set(found.shared)) == (4, (2, 2), shared)
    assert found.expected == 1 and len(found.only[0]) == len(found.only[1]) == 2 - len(shared)
    assert found.chance == pytest.approx([1, 5 / 6, 1 / 6][len(shared)])
    mine = compare("published", "synapt")
    assert set(mine.shared) == set(class_list("published")) & set(class_list("synapt"))
    assert 0.2 < mine.chance < 0.3
    with pytest.raises(InputError, match="more classes than 100"):
        compare("published", "synapt", 100)


def test_what_cannot_be_measured_is_refused(dataset, selected, tmp_path, checkpoint):
    with pytest.raises(InputError, match="200 random subsets or more, not 10"):
        study(dataset, ["published"], PARAMS, subsets=10)
    with pytest.raises(InputError, match="no selection to measure"):
        study(dataset, [], PARAMS)
    with pytest.raises(InputError, match=r"selects '(bow|clap|down|right)', which the data set does not have"):
        read_any(str(selected[0]), {"walk": 3})
    with pytest.raises(InputError, match="does not know the class 'bow'"):
        study(dataset, [str(selected[0])], PARAMS, model=lambda: (LABELS[1:], {}), progress=False)
    with pytest.raises(InputError, match="was not shown the clip"):
        study(dataset, [str(selected[0])], PARAMS, model=lambda: (LABELS, {}), progress=False)


@pytest.mark.parametrize("n", [1, 2, 3, 9, 10, 14])
def test_any_number_of_classes_has_a_map(n):
    rng = np.random.default_rng(n)
    known = centres(rng.normal(size=(n * 3, 6)), np.repeat(np.arange(n), 3))
    places = lay_out(known, 0)
    assert places.shape == (n, 2) and np.isfinite(places).all()
    assert np.array_equal(places, lay_out(known, 0))
