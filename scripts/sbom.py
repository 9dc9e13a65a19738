"""Writes a software bill of materials, CycloneDX 1.6, of the environment that runs it: python scripts/sbom.py [NAME].

Its Python packages with licences and dependencies; of an image, which is named, also the Debian packages beneath them
and the code of others that it holds. It needs the standard library alone: `make images` runs it in every finished
image, from standard input. The same environment gives the same bytes.
"""

import json
import re
import subprocess
import sys
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

UPSTREAM = Path("/opt/upstream")
DPKG = ("dpkg-query", "--show", "--showformat=${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\n")
LONGEST = 120
"""Letters of what a package says of its licence; some paste the whole text."""

Component = dict[str, Any]


def canonical(name: str) -> str:
    """A package's name as PyPI has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licences(about: Any) -> list[dict[str, Any]]:
    """What a package's metadata says of its licence, the newest way of saying it first; nothing if it is silent."""
    if expression := about.get("License-Expression"):
        return [{"expression": expression}]
    marks = [c.split(" :: ")[-1] for c in about.get_all("Classifier", ()) if c.startswith("License :: ")]
    said = [mark for mark in marks if mark != "OSI Approved"] or [(about.get("License") or "").strip().split("\n")[0]]
    return [{"license": {"name": name[:LONGEST]}} for name in dict.fromkeys(said) if name and name != "UNKNOWN"]


def python_packages() -> tuple[list[Component], dict[str, list[str]]]:
    """The installed Python packages, and for each the names of those that it wants and that are there."""
    found: dict[str, tuple[Component, list[str]]] = {}
    for one in metadata.distributions():
        if not one.metadata["Name"]:
            continue  # left over from a package that is gone
        name = canonical(one.metadata["Name"])
        component = {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{quote(one.version)}",
            "name": name,
            "version": one.version,
            "purl": f"pkg:pypi/{name}@{quote(one.version)}",
        }
        if said := licences(one.metadata):
            component["licenses"] = said
        wanted = [r for r in one.requires or () if "extra ==" not in r.replace("extra==", "extra ==")]
        names = [canonical(match[0]) for r in wanted if (match := re.match(r"[A-Za-z0-9._-]+", r))]
        found.setdefault(name, (component, names))  # what comes first on the path is what is imported
    needs = {
        component["bom-ref"]: sorted({found[n][0]["bom-ref"] for n in names if n in found})
        for component, names in found.values()
    }
    return [component for component, _ in found.values()], needs


def debian_packages() -> list[Component]:
    """The installed packages of Debian or Ubuntu; none elsewhere."""
    try:
        listed = subprocess.run(DPKG, capture_output=True, text=True, check=True).stdout
        system = dict(
            re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(encoding="utf-8"), re.MULTILINE)
        )
    except (OSError, subprocess.CalledProcessError):
        return []
    found = []
    for line in listed.splitlines():
        status, name, version, architecture = line.split("\t")
        if status == "installed":
            more = f"arch={architecture}&distro={quote(system.get('VERSION_CODENAME', ''))}"
            purl = f"pkg:deb/{system.get('ID', 'debian')}/{quote(name)}@{quote(version)}?{more}"
            found.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    return found


def checkouts(folder: Path = UPSTREAM) -> list[Component]:
    """Code of others that an image holds, by its commit."""
    return [
        {
            "type": "library",
            "bom-ref": f"upstream/{path.parent.name}",
            "name": path.parent.name,
            "version": path.read_text(encoding="utf-8").strip(),
        }
        for path in sorted(folder.glob("*/COMMIT"))
    ]


def bill(name: str = "") -> dict[str, Any]:
    """The bill of materials.

    Args:
        name: The image that it is of; empty: of an environment in which M2M is installed.
    """
    packages, needs = python_packages()
    own = next((c for c in packages if c["name"] == "m2m"), {"name": "m2m", "version": "unknown"})
    parts = [c for c in packages if c["name"] != "m2m"] + (debian_packages() + checkouts() if name else [])
    subject = {"bom-ref": "subject", "type": "container" if name else "application", "name": name or "m2m"}
    subject["version"] = own["version"]
    if "licenses" in own:
        subject["licenses"] = own["licenses"]
    roots = needs.pop(own.get("bom-ref", ""), [])
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": subject,
            "tools": {"components": [{"type": "application", "name": "m2m scripts/sbom.py"}]},
        },
        "components": sorted(parts, key=lambda c: c["bom-ref"]),
        "dependencies": [
            {"ref": "subject", "dependsOn": roots},
            *({"ref": ref, "dependsOn": others} for ref, others in sorted(needs.items())),
        ],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(whole, sort_keys=True))
    return {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "serialNumber": f"urn:uuid:{number}", **whole}


if __name__ == "__main__":
    json.dump(bill(*sys.argv[1:2]), sys.stdout, indent=1)
    print()
