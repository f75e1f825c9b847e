"""What is worth reading of a group of alerts (docs of Alertmanager, `webhook_config`, and Grafana, "Webhook")."""

from relay.domain.card import Card, Row, Tone
from relay.domain.event import Event
from relay.domain.inbound import moment
from relay.domain.news import Part, dotted, first_line, listed, rows, thread_of
from relay.domain.words import counted

NAME = "alertname"
WARNINGS = frozenset({"warning", "warn", "minor"})
NOTES = frozenset({"info", "none", "notice"})
RUNBOOKS = ("runbook_url", "runbook", "runbook_link")
PAGES = ("panelURL", "dashboardURL", "generatorURL")
LABELS = 12


def card_of(event: Event) -> Card | None:
    """Return the card of a group of alerts; firing and resolved share a thread. `None` for what is no such group."""
    said = Part(event.data)
    alerts = said.each("alerts")
    if not isinstance(event.data, dict) or not alerts:
        return None
    firing = event.type.endswith(".firing")
    first = alerts[0]
    return Card(
        title=f"{_name(said, first)} is {'firing' if firing else 'resolved'}{_count(alerts)}",
        subtitle=dotted(event.source, said.text("receiver")),
        text=_explained(said, first, alerts),
        rows=(*_labels(said, first, alerts), *rows(*_details(said, first, alerts, firing))),
        tone=_tone(said, first) if firing else Tone.GOOD,
        link=_link(said, first),
        thread=thread_of(event),
    )


def _name(said: Part, first: Part) -> str:
    groups = said.at("groupLabels").value
    values = groups.values() if isinstance(groups, dict) else ()
    return (
        said.text("commonLabels", NAME)
        or first.text("labels", NAME)
        or ", ".join(value for value in values if isinstance(value, str) and value)
        or "An alert"
    )


def _count(alerts: list[Part]) -> str:
    if len(alerts) == 1:
        return ""
    firing = sum(alert.text("status") == "firing" for alert in alerts)
    if firing and firing < len(alerts):
        return f" ({firing:,} firing, {len(alerts) - firing:,} resolved)"
    return f" ({counted(len(alerts), 'alert')})"


def _explained(said: Part, first: Part, alerts: list[Part]) -> str:
    """Return what the rule says of all, or what it says of each alert, told apart by the labels of its own."""
    if len(alerts) == 1:
        notes = (_note(first, name) or said.text("commonAnnotations", name) for name in ("summary", "description"))
        return "\n".join(dict.fromkeys(note for note in notes if note))
    if common := said.text("commonAnnotations", "summary") or said.text("commonAnnotations", "description"):
        return "\n".join((common, _lines(said, alerts)))
    return _lines(said, alerts)


def _lines(said: Part, alerts: list[Part]) -> str:
    return listed(f"• {_line(said, alert)}" for alert in alerts)


def _line(said: Part, alert: Part) -> str:
    common = said.at("commonLabels").value
    shared = common if isinstance(common, dict) else {}
    labels = alert.at("labels").value
    own = {name: value for name, value in labels.items() if name not in shared} if isinstance(labels, dict) else {}
    words = ", ".join(f"{name}={value}" for name, value in own.items() if isinstance(value, str))
    summary = _note(alert, "summary") or _note(alert, "description")
    line = ": ".join(part for part in (words, first_line(summary)) if part) or "an alert"
    return f"{line} (resolved)" if alert.text("status") == "resolved" and said.text("status") == "firing" else line


def _note(alert: Part, name: str) -> str:
    return alert.text("annotations", name)


def _labels(said: Part, first: Part, alerts: list[Part]) -> tuple[Row, ...]:
    labels = (first.at("labels") if len(alerts) == 1 else said.at("commonLabels")).value
    pairs = labels.items() if isinstance(labels, dict) else ()
    told = [(name, value) for name, value in pairs if isinstance(name, str) and isinstance(value, str)]
    return rows(*[pair for pair in told if pair[0] != NAME][:LABELS])


def _details(said: Part, first: Part, alerts: list[Part], firing: bool) -> list[tuple[str, str]]:
    starts = [time for alert in alerts if (time := moment(alert.text("startsAt")))]
    ends = [time for alert in alerts if (time := moment(alert.text("endsAt"))) and time.year > 1]
    runbook = next((link for name in RUNBOOKS if (link := _annotation(said, first, name))), None)
    return [
        ("Values", _values(first) if len(alerts) == 1 else ""),
        ("Since", f"{min(starts):%Y-%m-%d %H:%M} UTC" if starts else ""),
        ("Until", f"{max(ends):%Y-%m-%d %H:%M} UTC" if ends and not firing else ""),
        ("Runbook", runbook or ""),
    ]


def _annotation(said: Part, first: Part, name: str) -> str | None:
    return said.link("commonAnnotations", name) or first.link("annotations", name)


def _values(alert: Part) -> str:
    values = alert.at("values").value
    if not isinstance(values, dict):
        return ""
    numbers = {name: Part(value).said() for name, value in values.items() if isinstance(value, int | float)}
    return ", ".join(f"{name} = {number}" for name, number in numbers.items() if number)


def _tone(said: Part, first: Part) -> Tone:
    severity = (said.text("commonLabels", "severity") or first.text("labels", "severity")).lower()
    return Tone.WARNING if severity in WARNINGS else Tone.NEUTRAL if severity in NOTES else Tone.BAD


def _link(said: Part, first: Part) -> str | None:
    return next((link for name in PAGES if (link := first.link(name))), None) or said.link("externalURL")
