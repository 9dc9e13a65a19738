"""The pages of docs/results say what the results beside them come to."""

import re
from pathlib import Path

import pytest

from m2m.report.reproduced import write_experiments

RESULTS = Path(__file__).parents[2] / "docs" / "results"
FILES = sorted(RESULTS.glob("*.json"), key=lambda path: ("figure" in path.stem, path.stem))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("results")
    write_experiments(FILES, out)
    return out


def unversioned(path: Path) -> str:
    return re.sub(r"M2M [\d.]+\.$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["index", *(path.stem for path in FILES)])
def test_a_page_is_what_its_results_come_to(made, name):
    again = "m2m report docs/results --results docs/results/table1.json ... writes it again"
    assert unversioned(RESULTS / f"{name}.md") == unversioned(made / f"{name}.md"), again


def test_every_experiment_of_the_paper_is_there():
    assert {path.stem for path in FILES} == {"table1", "table2", "table3", "table4", "figure3"}
