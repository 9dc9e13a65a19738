"""kfp looks at the whole stack with its sources to learn one name: seconds a pipeline, beneath pytest and torch."""

import inspect
from types import SimpleNamespace

import pytest
from kfp.dsl import pipeline_task


@pytest.fixture(autouse=True, scope="session")
def stacks_without_sources():
    """kfp reads no file to learn who called it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_task, "inspect", SimpleNamespace(stack=lambda: inspect.stack(context=0)))
        yield
