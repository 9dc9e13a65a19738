"""What the paper prints, and where that is not what its figures come to."""

import pytest

from m2m.errors import InputError
from m2m.report.paper import TABLES, reported_row, reported_rows

SETS = ["UCF-101", "HMDB51", "Diving48", "IkeaFA", "UAV-Human"]
GENDERS = ["women in men biased", "men_in_women_biased"]


def test_the_printed_means_that_are_misprints():
    found = {
        (table, name, protocol): (100 * printed, 100 * row.mean(sets, protocol))
        for table in TABLES
        for name, row in reported_rows(table).items()
        for sets in (SETS, GENDERS)
        for protocol in ("ft", "lp")
        if (printed := row.misprinted(sets, protocol)) is not None
    }
    assert found == {
        ("table1", "i3d_r50", "ft"): (pytest.approx(54.2), pytest.approx(54.12)),
        ("table1", "smply_private_knexus", "ft"): (pytest.approx(69.6), pytest.approx(69.36)),
    }


def test_every_printed_mean_was_looked_at():
    for table in TABLES:
        for row in reported_rows(table).values():
            for protocol in row.means:
                assert row.complete(GENDERS if table == "table3" else SETS, protocol)


def test_the_printed_differences_that_are_misprints():
    rows = reported_rows("table4")
    real = rows["align_real"]
    found = {
        (name, protocol): (100 * printed, 100 * row.difference(real, SETS, protocol))
        for name, row in rows.items()
        for protocol in ("ft", "lp")
        if (printed := row.delta_misprinted(real, SETS, protocol)) is not None
    }
    assert found == {
        ("align_no_human", "ft"): (pytest.approx(2.7), pytest.approx(-2.64)),
        ("align_m2m", "ft"): (pytest.approx(0.3), pytest.approx(-0.22)),
    }


def test_cells_are_found_in_any_spelling_and_means_only_of_sets_that_are_there():
    row = reported_row("table1", "smply_private")
    assert row.cell("UCF 101", "ft") == pytest.approx(0.932) and row.cell("blocks", "ft") is None
    assert row.mean(["UCF101", "blocks"], "ft") is None and row.mean([], "ft") is None
    assert row.mean(["UCF101", "HMDB51"], "ft") == pytest.approx((0.932 + 0.726) / 2)
    assert reported_row("table1", "smply_private_knexus").misprinted(SETS[:4], "ft") is None


def test_the_same_row_in_two_tables_has_the_same_figures():
    one, two, four = (
        reported_row(t, n) for t, n in (("table1", "smply_private"), ("table2", "m2m"), ("table4", "align_m2m"))
    )
    assert one.cells == four.cells
    assert {k: v for k, v in one.cells.items() if k[1] == "lp"} == two.cells


def test_a_row_that_is_not_there_is_an_error_and_an_empty_one_is_none():
    assert reported_row("table1", "") is None and reported_row("figure3", "") is None
    with pytest.raises(InputError, match="no row 'blur'") as error:
        reported_row("table1", "blur")
    assert "ppma" in error.value.next_step
    with pytest.raises(InputError, match="figure3"):
        reported_row("figure3", "m2m")
