"""One HTML file that opens offline: no script, no font, no picture and no address from anywhere else.

The content security policy in each page forbids what the page does not need, so that even an escaping mistake could
not load or run anything. Text is escaped by the template engine, names are cleaned by ``figures.plain``.
"""

from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from aitrader.reports.figures import amount, plain, show


def render_page(template: str, **values: Any) -> str:
    """Return the text that ``templates/<template>`` makes of ``values``; an unknown name in it is an error."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("aitrader.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    environment.filters["show"] = show
    environment.filters["amount"] = amount
    return environment


def _clean(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(plain(line) for line in value.split("\n"))
    return value
