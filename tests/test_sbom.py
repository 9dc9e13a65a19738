"""The bill of materials names every package, is valid CycloneDX, and the same for the same environment."""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from scripts import sbom

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def whole() -> dict:
    return sbom.bill()


def test_every_installed_package_is_named_once(whole):
    names = [c["name"] for c in whole["components"]]
    installed = {sbom.canonical(d.metadata["Name"]) for d in metadata.distributions() if d.metadata["Name"]}
    assert set(names) == installed - {"m2m"} and len(names) == len(set(names))
    refs = {c["bom-ref"] for c in whole["components"]} | {"subject"}
    assert {d["ref"] for d in whole["dependencies"]} == refs
    assert all(set(d["dependsOn"]) <= refs for d in whole["dependencies"])
    (own,) = (d["dependsOn"] for d in whole["dependencies"] if d["ref"] == "subject")
    assert f"pkg:pypi/numpy@{metadata.version('numpy')}" in own
    silent = [c["name"] for c in whole["components"] if "licenses" not in c]
    assert len(silent) < 0.05 * len(names), silent


def test_it_is_cyclonedx(whole):
    """The schema's own checker where it is installed; else the fields that it demands."""
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", whole["serialNumber"])
    assert (whole["bomFormat"], whole["specVersion"], whole["version"]) == ("CycloneDX", "1.6", 1)
    for component in whole["components"]:
        assert {"type", "name", "version", "bom-ref", "purl"} <= set(component), component
        said = component.get("licenses", [])
        assert all(set(one) in ({"license"}, {"expression"}) for one in said)
        assert len(said) == 1 or not any("expression" in one for one in said)  # one expression, or licences
    try:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    except ImportError:
        return
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(whole)) is None


def test_it_runs_from_standard_input_alone_and_says_the_same_twice():
    """As in an image, which has no checkout: no module but Python's own."""
    program = (ROOT / "scripts" / "sbom.py").read_bytes()
    empty = {"PATH": os.environ["PATH"]}
    said = [
        subprocess.run(
            [sys.executable, "-I", "-", "m2m/base:v1"], input=program, env=empty, capture_output=True, check=True
        )
        for _ in range(2)
    ]
    assert said[0].stdout == said[1].stdout
    about = json.loads(said[0].stdout)
    assert about["metadata"]["component"]["type"] == "container"
    if Path("/var/lib/dpkg/status").exists():
        assert any(c["bom-ref"].startswith("pkg:deb/") for c in about["components"])


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"License-Expression": "MIT", "License": "x"}, [{"expression": "MIT"}]),
        ({"License": "BSD\nand a long text"}, [{"license": {"name": "BSD"}}]),
        ({"License": "UNKNOWN"}, []),
        ({}, []),
    ],
)
def test_licences_as_packages_say_them(said, wanted):
    class About(dict):
        def get_all(self, _, default):
            return default

    assert sbom.licences(About(said)) == wanted


def test_code_of_others_is_named_by_its_commit(tmp_path):
    (tmp_path / "osx").mkdir()
    (tmp_path / "osx" / "COMMIT").write_text("abc\n")
    assert [(c["name"], c["version"]) for c in sbom.checkouts(tmp_path)] == [("osx", "abc")]
