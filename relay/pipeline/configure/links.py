"""Links of routes that no event can make an address of."""

import json

from relay.domain.card import web_link
from relay.pipeline.configure.jinjatree import pieces

_BEGINS = ("https://", "http://")
_SHOWN = 40


def never_an_address(template: str) -> str | None:
    """Return why a template can make no http or https address whatever the event, `None` where one may.

    Raises `ValueError` for what is no template.
    """
    printed = list(pieces(template))
    written = [text for text in printed if text is not None]
    if len(written) == len(printed):
        whole = "".join(written).strip()
        return f"{_shown(whole)} is no http or https address" if whole and web_link(whole) is None else None
    start = (printed[0] or "").lstrip()
    if start and not _may_begin(start):
        return f"it begins with {_shown(start)}: an address begins with https:// or http://"
    inner = (text.strip() for text in written)
    return next((f"no address holds {_shown(text)}" for text in inner if not web_link(f"https://x{text}")), None)


def _may_begin(text: str) -> bool:
    return any(text[: len(scheme)].lower() == scheme[: len(text)] for scheme in _BEGINS)


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…", ensure_ascii=False)
