"""What Google Chat refuses, or quietly leaves out, in a message whose fields are all known."""

from typing import Any

from relay.web.sandbox.status import Refusal, invalid

MAX_BYTES = 32_000
MAX_TEXT = 4_096
MAX_THREAD_KEY = 4_000
MAX_WIDGETS = 100

WIDGETS = (
    "textParagraph", "decoratedText", "buttonList", "image", "divider", "grid", "columns", "chipList", "carousel",
    "textInput", "selectionInput", "dateTimePicker",
)  # fmt: skip
"""The members of a widget's `data`: exactly one of them is set."""


def admit(message: dict[str, Any], space: str) -> dict[str, Any]:
    """Return the message as the space shows it. Raises `Refusal` for what breaks a limit."""
    cards = message.get("cardsV2", [])
    if not message.get("text") and not cards:
        raise invalid(f"Message cannot be empty. Discarding empty create message request in spaces/{space}.")
    if len(message.get("text", "")) > MAX_TEXT:
        raise invalid(f"Message text is too long: {len(message['text'])} characters, at most {MAX_TEXT} are allowed.")
    if len(message.get("thread", {}).get("threadKey", "")) > MAX_THREAD_KEY:
        raise invalid(f"Invalid thread key: at most {MAX_THREAD_KEY} characters are allowed.")
    if len(cards) > 1 and len({card.get("cardId") for card in cards} - {None, ""}) < len(cards):
        raise invalid("Invalid cards: a message with several cards needs a `card_id` of its own for each.")
    if not cards:
        return message
    return message | {"cardsV2": [_card(card, f"message.cards_v2[{index}]") for index, card in enumerate(cards)]}


def _card(with_id: dict[str, Any], path: str) -> dict[str, Any]:
    card = with_id.get("card", {})
    if not card.get("sections") and not card.get("header"):
        raise _refused(f"{path}.card", "a card needs a header or a section")
    if "header" in card and not card["header"].get("title"):
        raise _refused(f"{path}.card.header", "a header needs a title")
    shown = []
    room = MAX_WIDGETS
    for index, section in enumerate(card.get("sections", [])):
        widgets = section.get("widgets", [])
        _check_section(widgets, f"{path}.card.sections[{index}]")
        room -= len(widgets)
        if room >= 0:
            shown.append(section)
    return with_id | {"card": card | {"sections": shown}}


def _check_section(widgets: list[dict[str, Any]], path: str) -> None:
    if not widgets:
        raise _refused(path, "a section needs at least one widget")
    for index, widget in enumerate(widgets):
        here = f"{path}.widgets[{index}]"
        if len([kind for kind in WIDGETS if kind in widget]) != 1:
            raise _refused(here, "a widget holds exactly one kind of data")
        for column, item in enumerate(widget.get("columns", {}).get("columnItems", [])):
            if not item.get("widgets"):
                raise _refused(f"{here}.columns.column_items[{column}]", "a column needs at least one widget")


def _refused(path: str, why: str) -> Refusal:
    return invalid(f"Invalid value at '{path}': {why}.")
