"""The configuration of the demo, as somebody would write it."""

import json
from string import Template

SHOP = "shop"
"""The name of the shop's database and of the source of its events."""

TEMPLATE = Template("""\
# The demo: a shop's database and any webhook, shown in two sandbox spaces.

[[databases]]                     # the shop's own database: what its application commits
name = "shop"
url  = $shop

[[sources]]                       # POST /in/demo: anything goes
name   = "demo"
verify = "none"

[[targets]]
name = "sandbox"
kind = "google_chat"
url  = $demo

[[targets]]
name = "finance"
kind = "google_chat"
url  = $finance

[[routes]]                        # one card a change, one thread an order
name    = "orders"
sources = ["shop"]
types   = ["orders.*"]
to      = ["sandbox"]

[[routes]]                        # a condition, and words of our own
name    = "paid-orders"
sources = ["shop"]
types   = ["orders.updated"]
when    = "data.after.status == 'paid' && data.before.status != 'paid'"
to      = ["finance"]
text    = "Order *{{ data.after.id }}* is paid: *€ {{ data.after.total }}* by {{ data.after.customer }}"

[[routes]]
name    = "low-stock"
sources = ["shop"]
types   = ["products.updated"]
when    = "data.after.stock < 5 && data.before.stock >= 5"
to      = ["sandbox"]
text    = "*Stock is low*: {{ data.after.name }} has ~{{ data.before.stock }}~ *{{ data.after.stock }}* left"

[[routes]]                        # everything that does not come from the shop
name = "inbound"
when = "event.source != 'shop'"
to   = ["sandbox"]
""")


def configuration(base_url: str, shop_url: str) -> str:
    """Return the TOML text of the demo's configuration.

    `base_url` is where the relay, and so the sandbox, is reached: without a slash at its end. `shop_url` is the
    SQLAlchemy URL of the shop's database.
    """
    return TEMPLATE.substitute(
        shop=json.dumps(shop_url), demo=_space_url(base_url, "demo"), finance=_space_url(base_url, "finance")
    )


def _space_url(base_url: str, space: str) -> str:
    # A JSON string is a TOML string too.
    return json.dumps(f"{base_url}/sandbox/v1/spaces/{space}/messages?key=demo&token=demo")
