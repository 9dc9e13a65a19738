"""A finished run, made once and copied."""

import shutil
from dataclasses import replace

import pytest

from m2m.store import open_store
from tests.audit.runs import use
from tests.purge.made import finished


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        return finished(tmp_path_factory.mktemp("template"), monkeypatch)


@pytest.fixture
def run(template, tmp_path, monkeypatch):
    """A finished run: published originals and M2M clips; people, plates and previews in the work store."""
    root = tmp_path / "run"
    shutil.copytree(template.root, root)
    run = replace(template, root=root, store=open_store(root / "store"), work=open_store(root / "work"))
    run.manifest, run.real, run.card = root / "manifest", template.real, template.card
    use(monkeypatch, run)
    return run
