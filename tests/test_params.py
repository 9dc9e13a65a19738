"""Parameters: unknown keys and wrong values are errors that name their place."""

import json
from pathlib import Path

import pytest
import yaml

from m2m import params
from m2m.errors import InputError
from m2m.params import SECTIONS, AugmentParams, build, find_profile, load, merge, section, section_class, to_dict

ROOT = Path(__file__).parents[1]


def test_params_yaml_repeats_the_defaults():
    stated = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert stated == {name: to_dict(section_class(name)()) for name in SECTIONS}


@pytest.mark.parametrize("profile", sorted(p.stem for p in (ROOT / "profiles").glob("*.yaml")))
@pytest.mark.parametrize("section", SECTIONS)
def test_every_profile_loads(profile, section):
    assert isinstance(load(section, profile), section_class(section))


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_survives_json_that_knows_no_integers(name):
    defaults = section_class(name)()
    floats = json.loads(json.dumps(to_dict(defaults)), parse_int=float)
    assert section(name, floats) == defaults


def test_unknown_sections_are_named(tmp_path):
    with pytest.raises(InputError, match=r"unknown section 'agument'.*augment"):
        section("agument", {})
    (tmp_path / "p.yaml").write_text("agument: {size: 640x360}")
    with pytest.raises(InputError, match="unknown key 'agument'"):
        load("augment", params=tmp_path / "p.yaml")


def test_a_part_of_a_number_is_no_integer():
    with pytest.raises(InputError, match=r"verify\.stride must be int"):
        section("augment", {"verify": {"stride": 2.5}})


def test_round_trip():
    assert build(AugmentParams, to_dict(AugmentParams()), "test") == AugmentParams()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colour": 1}, "unknown key 'colour'"),
        ({"verify": {"strides": 1}}, "unknown key 'verify.strides'"),
        ({"verify": {"stride": "often"}}, "verify.stride must be int"),
        ({"verify": {"stride": True}}, "verify.stride must be int"),
        ({"verify": 3}, "verify must be a mapping"),
        ({"verify": {"on_doubt": "pass"}}, "verify: on_doubt"),
        ({"compose": {"variant": "sepia"}}, "compose: variant"),
        ({"size": "big"}, "size is"),
        ({"size": "433x240"}, "even"),
        ({"keep": ["faces"]}, "keep is any of"),
    ],
)
def test_mistakes_are_named(values, message):
    with pytest.raises(InputError, match=message):
        build(AugmentParams, values, "my.yaml")


def test_a_profile_is_laid_over_params_and_the_command_line_over_both(tmp_path):
    base, profile = tmp_path / "params.yaml", tmp_path / "p.yaml"
    base.write_text("augment: {size: 640x360, verify: {stride: 2, low: 0.2}}")
    profile.write_text("augment: {verify: {stride: 4}}")
    got = load("augment", str(profile), base, {"verify": {"alarm": 0.7}})
    assert (got.size, got.verify.stride, got.verify.low, got.verify.alarm) == ("640x360", 4, 0.2, 0.7)


def test_of_several_profiles_a_later_one_goes_before(tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("augment: {size: 640x360, verify: {stride: 2, low: 0.2}}")
    second.write_text("augment: {verify: {stride: 4}}")
    got = load("augment", [str(first), str(second)])
    assert (got.size, got.verify.stride, got.verify.low) == ("640x360", 4, 0.2)
    assert load("augment", [str(second), str(first)]).verify.stride == 2
    with pytest.raises(InputError, match=r"first.yaml \+ .*second.yaml: unknown key 'sise'"):
        second.write_text("augment: {sise: 1}")
        load("augment", [str(first), str(second)])


def test_merge_leaves_its_arguments_alone():
    base, over = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert merge(base, over) == {"a": {"b": 1, "c": 2}}
    assert (base, over) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_files_that_are_no_parameters(tmp_path):
    bad = tmp_path / "bad.yaml"
    with pytest.raises(InputError, match="cannot read"):
        load("augment", params=bad)
    bad.write_text("a: [")
    with pytest.raises(InputError, match="not YAML"):
        load("augment", params=bad)
    bad.write_text("- a")
    with pytest.raises(InputError, match="mapping"):
        load("augment", params=bad)
    with pytest.raises(InputError, match=r"unknown profile 'desktop'.*laptop"):
        find_profile("desktop")
    assert params.read_yaml(ROOT / "profiles" / "laptop.yaml")
