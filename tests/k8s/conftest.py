"""What tests of compiled pipelines share."""

from tests.stacks import stacks_without_sources  # noqa: F401
