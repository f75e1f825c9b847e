"""Bodies and header values that are templates: filled in with an event, and still what they claim to be."""

import html
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import orjson

from relay.domain.cloudevents import HEADER_SAFE
from relay.domain.event import Event
from relay.domain.templates import Template, TemplateFailed, json_text


class FilledBody:
    """A body made of a template. Values are escaped as its content type asks; what claims to be JSON is."""

    def __init__(self, source: str, content_type: str) -> None:
        self._template = Template(source)
        media = content_type.partition(";")[0].strip().lower()
        self._json = media == "application/json" or media.endswith("+json")
        self._escape = json_text if self._json else _escape_of(media)

    def fill(self, event: Event) -> bytes:
        """Return the body that tells of the event. Raises `TemplateFailed`."""
        body = self._template.render(event, self._escape).encode(errors="replace")
        if self._json:
            try:
                orjson.loads(body)
            except orjson.JSONDecodeError as error:
                # Not its words: they may quote the body.
                raise TemplateFailed(f"the body is no JSON (line {error.lineno}, column {error.colno})") from None
        return body


class FilledHeader:
    """A header's value made of a template: one line, percent-encoded beyond ASCII."""

    def __init__(self, source: str) -> None:
        self._template = Template(source)

    def fill(self, event: Event) -> str:
        """Return the value for the event. Raises `TemplateFailed`."""
        return self._template.render(event, _in_header).strip()


def _escape_of(media: str) -> Callable[[str], str]:
    if media.endswith(("xml", "html")):
        return html.escape
    return _in_form if media.endswith("x-www-form-urlencoded") else str


def _in_form(value: str) -> str:
    return quote_plus(value, errors="replace")


def _in_header(value: str) -> str:
    return quote(value, safe=HEADER_SAFE + " ", errors="replace")
