"""What is read of results, and what is refused by name."""

import copy
import json

import pytest

from m2m.errors import InputError
from m2m.report.experiment import read_experiment
from tests.report.reproduced import results, write


@pytest.fixture(scope="module")
def good():
    return results({"real": 0.6, "m2m": 0.7}, n=5, seeds=(0, 1), compare=[["m2m", "real"]])


def read(tmp_path, data, **how):
    return read_experiment(write(tmp_path, data), **how)


def test_everything_is_read(good, tmp_path):
    missing = [{"row": "m2m", "set": "ucf101", "protocol": "ft", "seed": 7, "why": "no time"}]
    found = read(tmp_path, {**good, "missing": missing, "privacy": [{"row": "m2m", "figures": {"audited": 3}}]})
    assert (found.name, found.kind, found.protocols) == ("table1", "table", ("ft", "lp"))
    assert [s.bias for s in found.sets] == [1.6, 1.2, 0.9, 0.5, None]
    assert found.compare == (("m2m", "real"),) and found.row("m2m").private
    assert len(found.evaluations) == 2 * 5 * 2 * 2
    one, given = found.evaluations[0], good["evaluations"][0]
    assert {name: getattr(one, name) for name in given} == given
    assert found.missing[0].seed == 7 and found.privacy == {"m2m": {"audited": 3}}


def test_an_evaluation_that_is_there_twice_counts_once_and_two_for_one_place_are_refused(good, tmp_path):
    data = copy.deepcopy(good)
    data["evaluations"].append(dict(data["evaluations"][0]))
    assert len(read(tmp_path, data).evaluations) == len(good["evaluations"])
    data["evaluations"][-1]["fingerprint"] = "other"
    with pytest.raises(InputError, match="real, ucf101, ft, 0 is there twice: real-ucf101- and other"):
        read(tmp_path, data)


def test_two_versions_of_the_code_are_refused_by_name_unless_allowed(good, tmp_path):
    data = copy.deepcopy(good)
    data["evaluations"][3]["code_version"] = "0.0.9"
    with pytest.raises(InputError, match=r"different code: 0\.0\.9, 0\.1\.0\+1234567.*--mixed-code") as error:
        read(tmp_path, data)
    assert "--mixed-code" in error.value.next_step
    assert len(read(tmp_path, data, allow_mixed=True).evaluations) == len(good["evaluations"])


def change(path, value):
    def changed(data):
        *way, last = path
        for step in way:
            data = data[step]
        if value is KeyError:
            del data[last]
        else:
            data[last] = value

    return changed


FIRST = ("evaluations", 0)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("schema",), 2, "schema is 2"),
        (("schema",), KeyError, "the file has no 'schema'"),
        (("experiment",), "../x", "no name of letters"),
        (("experiment",), "Index", "called index"),
        (("kind",), "bars", "kind 'bars' is none of table, curve"),
        (("sets", 1, "name"), "ucf101", "each once"),
        (("sets", 1, "title"), "UCF101", "two sets have the same title"),
        (("sets", 0, "bias"), "much", r"sets\[0\] has bias 'much'"),
        (("rows", 0, "private"), "yes", r"rows\[0\] has private 'yes', which is no bool"),
        (("rows",), [], "rows are not there"),
        (("rows", 0), 3, r"rows\[0\] is no mapping"),
        (("compare",), [["m2m", "blur"]], "no 'blur', which is no row"),
        (("compare",), [["m2m"]], "no pair of rows"),
        (("compare",), [["m2m", "m2m"]], "against itself"),
        (("baseline",), "blur", "no 'blur', which is no row"),
        (("privacy",), [{"row": "blur", "figures": {}}], "privacy is of 'blur'"),
        (("missing",), [{"row": "m2m", "set": "x", "protocol": "ft", "seed": 0, "why": ""}], "has set 'x'"),
        ((*FIRST, "row"), "blur", "has row 'blur'"),
        ((*FIRST, "protocol"), "zs", "has protocol 'zs'"),
        ((*FIRST, "seed"), True, r"evaluations\[0\] has seed True, which is no int"),
        ((*FIRST, "seed"), KeyError, r"evaluations\[0\] has no 'seed'"),
        ((*FIRST, "epoch"), 3, "has epoch 3: those of a curve have one, those of a table have none"),
        ((*FIRST, "top1"), 1.5, "top-1 1.5 within"),
        ((*FIRST, "n"), 4, "of 5 clips right, but top-1 .* of n 4"),
        ((*FIRST, "classes"), 0, "0 classes: both are 1 or more"),
        ((*FIRST, "clips"), {"a": 1}, "neither true nor false"),
        ((*FIRST, "clips"), {str(i): False for i in range(5)}, "0 of 5 clips right"),
        (("mixed_code",), [3], "not all texts"),
    ],
)
def test_what_is_wrong_is_named(good, tmp_path, path, value, said):
    data = copy.deepcopy(good)
    change(path, value)(data)
    file = tmp_path / "results.json"
    file.write_text(json.dumps(data))
    with pytest.raises(InputError, match=said) as error:
        read_experiment(file)
    assert str(file) in error.value.what and "m2m reproduce" in error.value.next_step


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": NaN}'])
def test_a_file_that_is_none(tmp_path, text):
    file = tmp_path / "results.json"
    file.write_text(text)
    with pytest.raises(InputError, match="has no results of an experiment"):
        read_experiment(file)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_experiment(tmp_path / "none.json")
