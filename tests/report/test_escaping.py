"""A name that is markup stays text on every page, and no page runs a script but M2M's own or fetches anything."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from m2m.attack.rows import NOTHING, Row
from m2m.attack.run import Attacked
from m2m.audit.certificate import write_certificate
from m2m.audit.rows import Check
from m2m.clips import MANIFEST, data_hash, read_card, read_manifest, write_card, write_manifest
from m2m.curate.datasheet import write_datasheet
from m2m.curate.measure import Measure
from m2m.curate.select import ClassRow, Selection
from m2m.curate.worth import Study, Worth
from m2m.report.attack import write_attack_report
from m2m.report.augment import ClipReport, write_report
from m2m.report.curation import write_curation_report
from m2m.report.figures import confusion, curves
from m2m.report.pages import _link
from m2m.report.reproduced import write_experiments
from m2m.report.run import write_run_report
from tests.audit.audited import SEEN, audited, reviewed
from tests.report.reproduced import results, write

ALIEN = (
    """--></title></style></script>"'><script>alert(1)</script><img src=x onerror=alert(1)>$\\frac{{7*7}}\x1b\ud800"""
)
TEXT = ALIEN.replace("\ud800", "")
"""The same where only text can be."""
TEMPLATES = Path(__file__).parents[2] / "m2m" / "report"
VOID = {"src", "href", "xlink:href", "action", "data", "poster", "srcset", "formaction"}


class Page(HTMLParser):
    """The scripts, the attributes and the policy of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._inside = tag == "script" and dict(attrs).get("type", "text/javascript") == "text/javascript"

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "script"

    def handle_data(self, data):
        if self._inside:
            self.scripts.append(data)


def assert_quiet(path: Path, scripts: int = 0) -> None:
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert "alert(1)" in text, "the name is not on the page: nothing is tested"
    assert len(page.scripts) == scripts and not any("alert(1)" in s for s in page.scripts)
    assert not page.tags & {"iframe", "object", "embed", "base", "link", "form"}
    for name, value in page.attributes:
        assert not name.startswith("on"), name
        assert name not in VOID or not re.match(r"(?!data:)[a-z]+:|//", value.strip(), re.IGNORECASE), value
    policy = text.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert text.index("Content-Security-Policy") < text.index("<title>")
    assert policy.startswith("default-src 'none'") and "unsafe-eval" not in policy
    named = re.findall(r"script-src ([^;]*)", policy)
    own = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in page.scripts]
    assert named == [f"'sha256-{s}'" for s in own]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """An audited data set of which everything that can be is called ALIEN."""
    why = {
        "class0_0": {
            "faces": replace(SEEN, figures={**SEEN.figures, "why": ALIEN}),
            ALIEN: Check(False, {"why": ALIEN}),
        }
    }
    folder = audited(tmp_path_factory.mktemp("alien") / "set", changed=why, held=1)
    label = TEXT
    rows = [replace(c, label=label, reason=label if c.status != "ok" else "") for c in read_manifest(folder / MANIFEST)]
    write_manifest(rows, folder / MANIFEST)
    card = replace(read_card(folder), name=label, hash=data_hash(rows), licences=(label,), code_version=label)
    write_card(replace(card, parameters={"text": label}), folder)
    return folder


def test_the_certificate(dataset):
    assert_quiet(write_certificate(dataset, dataset).page)


def test_the_review(dataset):
    assert_quiet(reviewed(dataset, sample=2, plants=1).page, scripts=1)


def test_the_page_of_data_sets(dataset):
    write_run_report(dataset.parent / "run.html", [dataset], [], ALIEN)
    assert_quiet(dataset.parent / "run.html")


def test_the_report_of_clips(dataset):
    detect = {"backend": ALIEN, "witnesses": True, "mask_rcnn": {"model": ALIEN, "weights": ALIEN}}
    card = replace(read_card(dataset), parameters={"detect": detect})
    lost = ClipReport(ALIEN, ALIEN, "quarantined", ALIEN, ALIEN, {"doubts": [{"frame": ALIEN}]}, {}, None)
    path = write_report(dataset.parent, card, [lost], [ALIEN], ALIEN, ALIEN)
    assert_quiet(path)
    assert "\\ud800" in path.read_text(encoding="utf-8")


def test_the_attackers(tmp_path):
    row = Row(ALIEN, ALIEN, "rank1", 0.5, 0.4, 0.6, 0.1, 10, 1, (0.5,), None, None, NOTHING)
    about = {
        "data": ALIEN,
        "clips": 1,
        "params": {"seeds": [0]},
        "split": ALIEN,
        "interval": "bootstrap",
        "code_version": "a",
    }
    write_attack_report(Attacked(tmp_path, (row,), {**about, "variants": {ALIEN: ALIEN}}, (ALIEN,), 0, 0))
    assert_quiet(tmp_path / "attack.html")
    text = (tmp_path / "attack.md").read_text(encoding="utf-8")
    assert "alert(1)" in text and "<script" not in text and "<img" not in text


def test_the_curation_and_its_data_sheet(tmp_path, dataset):
    classes = (ClassRow(TEXT, 3, True, TEXT, 0), ClassRow("b", 3, False, TEXT, 0))
    selection = Selection(TEXT, {TEXT: TEXT}, TEXT, TEXT, None, (), None, None, classes)
    worth = Worth(TEXT, selection, False, (Measure(TEXT, 1, 1, 1, 1, 1, 1),))
    places = np.array([[0.0, 1.0], [1.0, 0.0]])
    write_curation_report(
        Study(TEXT, "0" * 64, TEXT, (TEXT, "b"), 1, 1, 0, places, (worth,)),
        tmp_path,
    )
    assert_quiet(tmp_path / "curation.html")
    write_datasheet(read_card(dataset), [], selection, tmp_path)
    text = (tmp_path / "DATASHEET.md").read_text(encoding="utf-8")
    assert "alert(1)" in text and "<script" not in text and "<img" not in text


def test_the_pages_of_reproduced_tables(tmp_path):
    table = results({TEXT: 0.5, "b": 0.6}, sets={TEXT: TEXT, "two": "two"}, n=6, compare=[[TEXT, "b"]], baseline="b")
    curve = results({TEXT: 0.5, "b": 0.6}, name="f", sets={"one": TEXT}, n=6, epochs=(1, 2), compare=[[TEXT, "b"]])
    for data in (table, curve):
        data["title"] = data["question"] = data["scale"] = f"](x) {TEXT}"
        data["rows"][0] |= {"title": TEXT, "note": TEXT}
        data["privacy"] = [{"row": TEXT, "figures": {TEXT: {"value": 0.5}, "why": TEXT}}]
        data["missing"] = [{"row": "b", "set": data["sets"][0]["name"], "protocol": "ft", "seed": 9, "why": TEXT}]
        for one in data["evaluations"]:
            one |= {"run": TEXT.replace(" ", ""), "code_version": TEXT, "data_hash": TEXT, "test_hash": TEXT}
    files = write_experiments([write(tmp_path, data) for data in (table, curve)], tmp_path / "out")
    assert [path.name for path in files[::2]] == ["index.html", "table1.html", "f.html"]
    for path in files:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            assert_quiet(path)
        else:
            assert "alert(1)" in text and "<script" not in text and "<img" not in text
    heads = [line for line in files[1].read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
    assert len(heads) == 2 and all(head.count("](") == 1 for head in heads)  # a title ends no link early


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "../x.html", "data:text/html,x", 'http://a"b', "//x/y.html"]
)
def test_a_link_leads_to_the_web_or_to_a_page_beside_it(address):
    with pytest.raises(ValueError, match="no address of the web"):
        _link(address)
    assert _link("https://host/#/runs/1") and _link("table1.html")


def test_figures_take_every_name():
    for svg in (
        confusion([[1, 2], [3, 4]], [TEXT, "$"], TEXT),
        curves({TEXT: [[{"epoch": 1, "x": 2}]]}, "x", TEXT),
    ):
        page = Page(svg)
        assert "alert(1)" in svg and "script" not in page.tags and "img" not in page.tags


def test_templates_put_values_where_they_are_escaped():
    """In text and in quoted attributes: not in scripts, styles, names of tags or attributes, nor marked as safe."""
    for path in sorted(TEMPLATES.glob("*.html")):
        text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        safe = set(re.findall(r"\{\{\s*([^}]*?)\|\s*safe\s*\}\}", text))
        assert safe <= {"picture"}, f"{path.name}: {safe} is marked as safe"
        assert "autoescape" not in text
        for body in re.findall(r"<style.*?</style>", text, re.DOTALL):
            assert "{{" not in body, path.name
        for tag in re.findall(r"<[a-z][^<>]*\{\{[^<>]*>", text):
            tag = re.sub(r' href="\{\{[^{}"]*\| *link *\}\}"', "", tag)  # the filter lets through nothing else
            assert "{{" not in re.sub(r'"[^"]*"', "", re.sub(r"\{\{.*?\}\}", "{{}}", tag).replace('"{{}}"', '""')), tag
            assert not re.search(r"\s(on\w+|style|href)\s*=", tag), tag
