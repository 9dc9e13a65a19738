"""The HTML pages' common form: one file each, nothing fetched, everything escaped, no script but M2M's own."""

import base64
import hashlib
import re
from typing import Any

import jinja2

LINK = re.compile(r"https?://[^\s\"'<>\x00-\x1f]+|[A-Za-z0-9][A-Za-z0-9_-]*\.html")


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
    environment.filters["csp"] = _named
    environment.filters["link"] = _link
    text = environment.get_template(template).render(**values)
    return text.encode("utf-8", "backslashreplace").decode()  # names of files need not be text


def _link(address: str) -> str:
    """An address that a page may lead to: of the web, or a page beside it.

    Raises:
        ValueError: It is another, as `javascript:` is.
    """
    if not LINK.fullmatch(str(address)):
        raise ValueError(f"{address!r} is no address of the web and no page beside this one")
    return str(address)


def _named(script: str) -> str:
    """A script as a page's policy names it: a browser runs no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode()}"
