"""What is worth reading of Stripe's events (Stripe API reference, "Event types")."""

from collections.abc import Mapping

from relay.domain.card import Card, Tone
from relay.domain.event import Event
from relay.domain.inbound import epoch
from relay.domain.money import money
from relay.domain.news import Part, dotted, phrase, rows, spaced, thread_of

DASHBOARD = "https://dashboard.stripe.com"

# Stripe docs, "Supported currencies": of the currencies without small unit, ISK and UGX are counted in hundredths.
WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
THOUSANDTHS = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))

NOUNS = {"payment_intent": "Payment", "charge": "Charge", "checkout.session": "Checkout", "customer": "Customer"}
AMOUNTS = {"invoice": "amount_due", "checkout.session": "amount_total"}
PAGES: Mapping[str, tuple[str, str]] = {
    "payment_intent": ("payments", "id"),
    "charge": ("payments", "id"),
    "refund": ("payments", "payment_intent"),
    "dispute": ("disputes", "id"),
    "invoice": ("invoices", "id"),
    "subscription": ("subscriptions", "id"),
    "customer": ("customers", "id"),
    "checkout.session": ("payments", "payment_intent"),
    "payout": ("payouts", "id"),
}
"""The dashboard's page of each kind of object, and which member names the object there."""

PHRASES = {
    "invoice.payment_failed": "could not be paid",
    "invoice.payment_succeeded": "paid",
    "invoice.payment_action_required": "waits for the customer",
    "charge.dispute.funds_withdrawn": "funds withdrawn",
    "charge.dispute.created": "opened",
    "checkout.session.async_payment_failed": "payment failed",
    "checkout.session.async_payment_succeeded": "paid",
    "customer.subscription.deleted": "ended",
    "customer.subscription.trial_will_end": "trial ends soon",
    "payment_intent.payment_failed": "failed",
    "payment_intent.requires_action": "waits for the customer",
}
GOOD = frozenset({"succeeded", "paid", "payment_succeeded", "async_payment_succeeded", "completed", "captured"})
BAD = frozenset({"failed", "payment_failed", "async_payment_failed", "marked_uncollectible", "funds_withdrawn"})
WARNING = frozenset(
    {"canceled", "expired", "refunded", "voided", "deleted", "trial_will_end", "payment_action_required", "past_due"}
)


def card_of(event: Event) -> Card | None:
    """Return the card of an event about an object, `None` for what is no such event."""
    said = Part(event.data)
    thing = said.at("data", "object")
    kind = thing.text("object")
    if not kind or not isinstance(thing.value, dict):
        return None
    name = event.type.partition(".")[2]
    amount = _money(thing, AMOUNTS.get(kind, "amount"))
    noun = NOUNS.get(kind) or spaced(kind.replace(".", " ")).capitalize()
    number = thing.text("number") if kind == "invoice" else ""
    return Card(
        title=phrase(noun, number, amount and f"of {amount}", _phrase(name)),
        subtitle=dotted(event.source, "" if said.at("livemode").value is not False else "test mode"),
        text=_explained(thing),
        rows=rows(
            ("Customer", _customer(thing)),
            ("For", thing.text("description")),
            ("Plan", _plan(thing)),
            ("Status", spaced(thing.text("status"))),
            ("Reason", spaced(thing.text("reason"))),
            ("Refunded", _money(thing, "amount_refunded") if thing.number("amount_refunded") else ""),
            ("Paid with", _paid_with(thing)),
            ("Evidence due", _day(thing.at("evidence_details", "due_by"))),
            ("Id", thing.text("id")),
        ),
        tone=_tone(kind, name, thing),
        link=_page(said, kind, thing),
        thread=thread_of(event),
    )


def _phrase(name: str) -> str:
    return PHRASES.get(name) or spaced(name.rpartition(".")[2])


def _tone(kind: str, name: str, thing: Part) -> Tone:
    verb = name.rpartition(".")[2]
    if kind == "dispute":
        return Tone.GOOD if thing.text("status") == "won" or verb == "funds_reinstated" else Tone.BAD
    if kind == "refund" and verb not in BAD:
        return Tone.WARNING
    return Tone.GOOD if verb in GOOD else Tone.BAD if verb in BAD else Tone.WARNING if verb in WARNING else Tone.NEUTRAL


def _money(thing: Part, name: str) -> str:
    amount, currency = thing.number(name), thing.text("currency").upper()
    if amount is None or not currency:
        return ""
    return money(amount, currency, minor=0 if currency in WHOLE else 3 if currency in THOUSANDTHS else 2)


def _explained(thing: Part) -> str:
    return thing.text("last_payment_error", "message") or thing.text("failure_message")


def _customer(thing: Part) -> str:
    return (
        thing.text("customer_email")
        or thing.text("customer_details", "email")
        or thing.text("billing_details", "email")
        or thing.text("receipt_email")
        or thing.text("email")
        or thing.text("customer_name")
        or thing.text("customer")
    )


def _plan(thing: Part) -> str:
    prices = (item.at("price") for item in thing.each("items", "data"))
    return ", ".join(filter(None, (price.text("nickname") or _price(price) for price in prices)))


def _price(price: Part) -> str:
    amount, interval = _money(price, "unit_amount"), price.text("recurring", "interval")
    return f"{amount} a {interval}" if amount and interval else amount


def _paid_with(thing: Part) -> str:
    card = thing.at("payment_method_details", "card")
    if last := card.plain("last4"):
        return f"{card.text('brand')} … {last}".strip()
    return spaced(thing.text("payment_method_details", "type"))


def _day(part: Part) -> str:
    time = epoch(part.value)
    return f"{time:%Y-%m-%d}" if time else ""


def _page(said: Part, kind: str, thing: Part) -> str | None:
    room, member = PAGES.get(kind, ("", ""))
    name = thing.plain(member) if room else ""
    if not name and kind == "refund":
        name = thing.plain("charge")
    if not name:
        return None
    test = "test" if said.at("livemode").value is False else ""
    return "/".join(part for part in (DASHBOARD, said.plain("account"), test, room, name) if part)
