"""The pages of reproduced tables: what is reported, measured and missing is there, in HTML and in Markdown."""

import copy
import re

import pytest

from m2m.cli import main
from m2m.errors import InputError
from m2m.report.numbers import points
from m2m.report.reproduced import write_experiment, write_experiments
from tests.report.reproduced import results, write


@pytest.fixture(scope="module")
def table4():
    names = ("align_no_human", "align_real", "align_m2m")
    data = results(dict(zip(names, (0.3, 0.9, 0.9), strict=True)), name="table4", n=20, baseline="align_real")
    for row in data["rows"]:
        row["reported"] = row["name"]
    data["compare"] = [["align_m2m", "align_no_human"], ["align_m2m", "align_real"]]
    data["privacy"] = [
        {"row": name, "figures": {"people_left": {"n": 90, "k": k}}} for name, k in zip(names, (0, 60, 3), strict=True)
    ]
    return data


def text_of(page: str) -> str:
    """A page as it is read."""
    page = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def write_both(tmp_path, data, **how) -> tuple[str, str]:
    page, text = write_experiment(write(tmp_path, data), tmp_path / "out", **how)
    assert (page.name, text.name) == (f"{data['experiment']}.html", f"{data['experiment']}.md")
    return page.read_text(encoding="utf-8"), text.read_text(encoding="utf-8")


def test_reported_measured_and_difference_stand_in_each_cell(table4, tmp_path):
    page, text = write_both(tmp_path, table4)
    mine = [
        e["top1"] for e in table4["evaluations"] if (e["row"], e["set"], e["protocol"]) == ("align_m2m", "ikeafa", "lp")
    ]
    top1 = sum(mine) / 3
    cell = rf"{100 * top1:.1f} [\d.]+ to [\d.]+ reported 58.2 difference {re.escape(points(top1 - 0.582))} "
    assert re.search(cell, text_of(page))
    assert re.search(rf"\| {100 * top1:.1f} \([\d.]+ to [\d.]+\); reported 58.2, difference ", text)
    assert "n 20, chance 16.7" in text_of(page) and "seeds 0, 1, 2" in text_of(page) and "measured 58.2" not in page


def test_misprints_are_shown_as_printed_and_as_recomputed(table4, tmp_path):
    for found in write_both(tmp_path, table4):
        assert "the paper prints a difference of 2.7; its own figures come to 2.64." in text_of(found)
        assert "the paper prints a difference of 0.3; its own figures come to 0.22." in text_of(found)
        assert text_of(found).count("misprint: printed") == 2


def test_a_misprinted_mean_is_shown_as_printed_and_as_recomputed(tmp_path):
    data = results({"knexus": 0.5}, n=6)
    data["rows"][0]["reported"] = "smply_private_knexus"
    for found in write_both(tmp_path, data):
        assert "prints a mean of 69.6; its own figures come to 69.36." in text_of(found)
        assert "reported 69.36" in text_of(found) and "misprint: printed 69.6" in text_of(found)


def test_verdicts_and_the_baseline_are_there(table4, tmp_path):
    page, text = write_both(tmp_path, table4)
    for found in (text_of(page), text):
        assert "align_m2m row less align_no_human row" in found and "higher by" in found
        assert "no difference shown" in found and "the baseline" in found
    assert page.count("<svg") == 2 and "mean top-1 against people left" in page
    assert "60 of 90 (66.7 %)" in text_of(page) and "60 of 90 (66.7 %)" in text


def test_what_is_missing_is_named_with_the_reason(table4, tmp_path):
    data = copy.deepcopy(table4)
    data["evaluations"] = [e for e in data["evaluations"] if (e["row"], e["set"]) != ("align_real", "uavhuman")]
    why = "the videos need a signed form"
    data["missing"] = [
        {"row": "align_real", "set": "uavhuman", "protocol": p, "seed": None, "why": why} for p in ("ft", "lp")
    ]
    page, text = write_both(tmp_path, data)
    for found in (text_of(page), text):
        assert found.count(why) == 4 and "no mean: UAV-Human missing" in found  # in its cell and in the list
        assert "not comparable: UAV-Human: one of them is missing" in found


def test_runs_are_linked_where_the_tracker_is_known_and_named_where_it_is_not(table4, tmp_path):
    run = table4["evaluations"][7]["run"]
    page, text = write_both(tmp_path, table4)
    assert f"<code>{run}</code>" in page and f"({run})" in text and "<a href=" not in page
    page, text = write_both(tmp_path, table4, tracker="https://mlflow.example/")
    address = f"https://mlflow.example/#/runs/{run}"
    assert f'<a href="{address}">' in page and f"({address})" in text
    page, _ = write_both(tmp_path, table4, tracker="https://me:secret@mlflow.example")
    assert f'<a href="{address}">' in page and "secret" not in page


@pytest.mark.parametrize("tracker", ["sqlite:///x.db", "table.html", 'http://a"b', "http://a b"])
def test_a_tracker_that_is_no_page_is_refused(table4, tmp_path, tracker):
    with pytest.raises(InputError, match="no page of the web"):
        write_both(tmp_path, table4, tracker=tracker)


def test_one_seed_is_said_to_be_one(tmp_path):
    data = results({"a": 0.9, "b": 0.2}, seeds=(4,), n=30, compare=[["a", "b"]])
    page, text = write_both(tmp_path, data)
    for found in (text_of(page), text):
        assert "for this training only: one seed" in found and "over clips alone, of this one training" in found


def test_mixed_code_is_refused_unless_allowed_and_then_said(table4, tmp_path):
    data = copy.deepcopy(table4)
    data["evaluations"][0]["code_version"] = "0.0.9"
    with pytest.raises(InputError, match=r"0\.0\.9, 0\.1\.0\+1234567"):
        write_both(tmp_path, data)
    page, text = write_both(tmp_path, data, allow_mixed=True)
    for found in (page, text):
        assert "different versions of the code: 0.0.9, 0.1.0+1234567" in found


def test_curves_are_panels_with_the_gap_the_chance_and_numbers(tmp_path):
    data = results({"real": 0.5, "m2m": 0.7}, name="figure3", n=20, protocols=("ft",), epochs=(0, 10, 20))
    page, text = write_both(tmp_path, data)
    assert page.count("<svg") == 5 + 1 and page.count(">gap<") == 5
    assert len(re.findall(r"<text[^>]*>chance</text>", page)) == 5
    shown = re.findall(r"<figcaption>(.*?), scene bias|<figcaption>(UAV-Human)", page)
    assert [a or b for a, b in shown] == ["UCF101", "HMDB51", "Diving48", "IkeaFA", "UAV-Human"]
    for found in (text_of(page), text):
        assert "Fine-tuning, early third" in found and "rank correlation" in found and "over 4 sets" in found
    assert "| 10 | " in text


def test_the_same_results_make_the_same_pages(table4, tmp_path):
    assert write_both(tmp_path, table4) == write_both(tmp_path, table4)


def test_several_experiments_have_a_list(table4, tmp_path):
    paths = [write(tmp_path, table4), write(tmp_path, results({"a": 0.5, "b": 0.6}, name="ours", n=6))]
    files = write_experiments(paths, tmp_path / "out")
    assert [p.name for p in files] == ["index.html", "index.md", "table4.html", "table4.md", "ours.html", "ours.md"]
    index = files[0].read_text(encoding="utf-8")
    assert re.findall(r'href="([^"]*)"', index) == ["table4.html", "ours.html"]
    assert "align_m2m row less align_no_human row, Fine-tuning: higher by" in text_of(index)
    assert "](ours.md)" in files[1].read_text(encoding="utf-8")
    with pytest.raises(InputError, match="table4 is there twice"):
        write_experiments([paths[0], paths[0]], tmp_path / "out")


def test_the_command_line(table4, tmp_path, capsys):
    path, out = str(write(tmp_path, table4)), str(tmp_path / "pages")
    assert main(["report", out, "--results", path, "--tracker", "http://localhost:5000"]) == 0
    assert f"report: {tmp_path / 'pages' / 'table4.html'}" in capsys.readouterr().out
    assert not (tmp_path / "pages" / "index.html").exists()
    assert main(["report", out, "--results", path, "--title", "x"]) == 2
    assert main(["report", out, "--tracker", "http://localhost:5000"]) == 2
    assert main(["report", out]) == 1
    assert "--results" in capsys.readouterr().err


def test_the_markdown_shows_the_figures_that_lie_beside_it(table4, tmp_path):
    _, text = write_both(tmp_path, table4)
    named = re.findall(r"^!\[[^\]]*\]\((.*)\)$", text, flags=re.MULTILINE)
    assert named == ["table4-trade_off-1.svg", "table4-trade_off-2.svg"]
    assert all("<svg" in (tmp_path / "out" / name).read_text(encoding="utf-8") for name in named)
