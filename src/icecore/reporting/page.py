"""From contents to one HTML file that needs nothing else: styles, scripts and pictures are inside.

Whatever comes from data, labels and file names included, is escaped by the template engine, or read by the scripts from
JSON and only ever set as text. A content security policy allows the page's own style and script, by their hashes, and
no network at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from icecore.backbones.extras import require
from icecore.reporting import words
from icecore.reporting.parts import Contents

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCRIPTS = ("page.js", "map.js")


def page(contents: Contents) -> str:
    """The page. Raises MissingExtraError where Jinja is not installed."""
    style, script = _asset("page.css"), "".join(_asset(name) for name in _SCRIPTS)
    markup = require("markupsafe", "report").Markup
    return str(
        _environment()
        .get_template("page.html")
        .render(
            contents=contents,
            manifest=contents.manifest,
            policy=policy(style, script),
            style=markup(style),  # our own files: nothing of the user's is in them
            script=markup(script),
            data=markup(embedded(contents.data)),
        )
    )


def plain_page(template: str, **values: Any) -> str:
    """A page without scripts, from one of our templates."""
    style = _asset("page.css")
    markup = require("markupsafe", "report").Markup
    page = _environment().get_template(template)
    return str(page.render(policy=policy(style, ""), style=markup(style), **values))


def policy(style: str, script: str) -> str:
    """The content security policy of a page with this style and this script."""
    scripts = f"'sha256-{_hash(script)}'" if script else "'none'"
    return (
        f"default-src 'none'; style-src 'sha256-{_hash(style)}'; script-src {scripts}; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )


def embedded(value: Mapping[str, Any]) -> str:
    r"""JSON that cannot end the element that it stands in.

    Example:
        >>> embedded({"a": "</script>"})
        '{"a":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A lone surrogate, as broken names may hold, has no UTF-8.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


@cache
def _environment() -> Any:
    jinja = require("jinja2", "report")
    environment = jinja.Environment(
        loader=jinja.FunctionLoader(_asset), autoescape=True, undefined=jinja.StrictUndefined, trim_blocks=True
    )
    environment.globals.update(
        percent=words.percent, count=words.count, listed=words.listed, metric=words.metric, seconds=words.seconds
    )
    return environment


@cache
def _asset(name: str) -> str:
    return (files("icecore.reporting") / "page" / name).read_text("utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
