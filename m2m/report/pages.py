"""The HTML pages' common form: one file each, nothing fetched, everything escaped."""

from typing import Any

import jinja2


def render(template: str, /, **values: Any) -> str:
    """Fills in a page.

    Args:
        template: Its file in this folder; all extend `page.html`.
        values: What the template names; a missing one is an error.

    Returns:
        HTML.
    """
    loader = jinja2.PackageLoader("m2m.report", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.get_template(template).render(**values)
