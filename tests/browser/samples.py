"""Messages as the relay sends them, for the page to show."""

from typing import Any

ORDER = "orders/1042"


def change(key: str, *labels: tuple[str, str, str], title: str = "Order updated", icon: str = "sync_alt") -> Any:
    """Return the card of a changed row; `labels` are column, icon and the change as Chat's HTML."""
    widgets = [
        {"decoratedText": {"startIcon": {"materialIcon": {"name": name}}, "topLabel": column, "text": text}}
        for column, name, text in labels
    ]
    header = {"title": title, "subtitle": f"{key} · shop", "imageUrl": f"https://icons.example/{icon}.png"}
    buttons = [{"text": "Open the event", "onClick": {"openLink": {"url": f"https://relay.example/events/{key}"}}}]
    return {
        "thread": {"threadKey": key},
        "fallbackText": f"{title}: {key}",
        "cardsV2": [
            {"cardId": "event", "card": {"header": header, "sections": [
                {"widgets": widgets},
                {"widgets": [{"buttonList": {"buttons": buttons}}]},
            ]}}
        ],
    }  # fmt: skip


CREATED = change(
    ORDER,
    ("customer", "person", "Ana Martins"),
    ("items", "shopping_cart", "2 × Cold brew kit, 1 × Filter papers"),
    ("total", "payments", "<b>€ 86.40</b>"),
    title="Order created",
)
PAID = {
    "thread": {"threadKey": ORDER},
    "text": "Order *1042* is paid: *€ 86.40* by _card_ <https://relay.example|see it>",
}
PACKED = change(
    ORDER, ("status", "inventory_2", "<s>paid</s> → <b>packed</b>"), ("packed_by", "person", "none → <b>Jonas</b>")
)
SHIPPED = change(ORDER, ("status", "local_shipping", "<s>packed</s> → <b>shipped</b>"))

GITHUB: Any = {
    "fallbackText": "pull_request.opened",
    "cardsV2": [
        {"cardId": "event", "card": {
            "header": {"title": "Pull request opened", "subtitle": "github · acme/storefront", "imageType": "CIRCLE",
                       "imageUrl": "https://avatars.example/mira.png"},
            "sections": [
                {"widgets": [
                    {"decoratedText": {"startIcon": {"materialIcon": {"name": "merge"}}, "topLabel": "#318 by mira",
                                       "text": "<b>Ship cold brew in the colder season</b>",
                                       "bottomLabel": "3 commits · +128 −41",
                                       "button": {"text": "Review", "type": "FILLED_TONAL",
                                                  "onClick": {"openLink": {"url": "https://github.example/318"}}}}},
                    {"chipList": {"chips": [{"label": "enhancement", "icon": {"materialIcon": {"name": "label"}}},
                                            {"label": "needs review"}]}},
                ]},
                {"header": "Details", "collapsible": True, "uncollapsibleWidgetsCount": 1, "widgets": [
                    {"textParagraph": {"text": "Adds <code>season</code> to products, and <i>rates by weight</i>."}},
                    {"textParagraph": {"text": "Migration: <code>0007_expand_season</code>"}},
                ]},
            ],
        }},
    ],
}  # fmt: skip

ALERT = {
    "text": "<users/all> *Stock is low*: `cold-brew-kit` has ~12~ *3* left\n"
    "```\nwarehouse  on hand  reserved\nlisbon            3         2\n```"
}

WIDGETS: Any = {
    "cardsV2": [
        {"cardId": "all", "card": {
            "header": {"title": "Every widget"},
            "sections": [
                {"widgets": [
                    {"image": {"imageUrl": "https://pictures.example/chart.png", "altText": "Orders a day"}},
                    {"divider": {}},
                    {"grid": {"title": "Stock", "columnCount": 2, "items": [
                        {"title": "Kit", "subtitle": "3"}, {"title": "Papers", "subtitle": "120"}]}},
                    {"columns": {"columnItems": [
                        {"widgets": [{"textParagraph": {"text": "left <font color=\"#d93025\">red</font>"}}]},
                        {"widgets": [{"decoratedText": {"text": "right", "icon": {"knownIcon": "STAR"}}}]}]}},
                    {"buttonList": {"buttons": [
                        {"text": "Go", "type": "FILLED", "onClick": {"openLink": {"url": "https://shop.example/"}}},
                        {"text": "Wait", "disabled": True}]}},
                ]},
            ],
        }},
    ],
}  # fmt: skip
