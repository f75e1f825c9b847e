"""Templates in files beside relay.toml."""

from pathlib import Path

import pytest

from relay.errors import InvalidConfiguration
from relay.pipeline.configure.check import check
from relay.pipeline.configure.document import read
from relay.pipeline.rendering import compile_route
from relay.plugins import discover

ROOM = """
[[targets]]
name = "room"
kind = "google_chat"
url = "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t"

[[targets]]
name = "hook"
kind = "http"
url = "https://billing.example.com/"

[[routes]]
name = "r"
"""


def checked(folder: Path, route: str) -> object:
    """Return the one route of a file with these lines."""
    (folder / "relay.toml").write_text(ROOM + route)
    (route_,) = check(read(folder / "relay.toml"), discover(), compile_route).routes
    return route_


def test_a_template_may_lie_in_a_file(tmp_path: Path) -> None:
    """A file is found beside relay.toml and read once: what it held is part of the configuration."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "order.j2").write_text("Ordér {{ data.id }}")
    (tmp_path / "card.json").write_text('{"text": "{{ data.id }}"}')
    route = checked(tmp_path, 'to = ["room"]\ntext_file = "templates/order.j2"\ncard_file = "card.json"\n')
    assert (route.text, route.card) == ("Ordér {{ data.id }}", '{"text": "{{ data.id }}"}')  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('text_file = "nowhere.j2"', "routes[0].text_file: nowhere.j2 cannot be read"),
        ('text_file = "bytes.j2"', "routes[0].text_file: bytes.j2 is not UTF-8"),
        ('text_file = "wrong.j2"', "routes[0].text_file: unknown name order"),
        ("text_file = 3", "routes[0].text_file: should be the name of a file"),
        ('text_file = "good.j2"\ntext = "x"', "routes[0].text_file: there is text too"),
        ('text_file = "."', "routes[0].text_file: . cannot be read"),
        ('to = ["hook"]\ncard = "{}"', "routes[0].card: only google_chat, google_chat_app, slack take whole cards"),
        ('text_file = "sum.j2"', "routes[0].text_file: money knows no currency 'EURO': give a code of ISO 4217"),
        ("text = \"{{ data | money(currency='€') }}\"", "routes[0].text: money knows no currency '€'"),
        ('link = "{{ order }}"', "routes[0].link: unknown name order"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_at_once(tmp_path: Path, lines: str, said: str) -> None:
    """A file that is not there, not text, or no template is refused by `relay check`, with the key that names it."""
    (tmp_path / "bytes.j2").write_bytes(b"\xff")
    (tmp_path / "wrong.j2").write_text("{{ order.id }}")
    (tmp_path / "sum.j2").write_text("{{ data.total | money('EURO') }}")
    (tmp_path / "good.j2").write_text("{{ data.id }}")
    to = "" if "to =" in lines else 'to = ["room"]\n'
    with pytest.raises(InvalidConfiguration) as refused:
        checked(tmp_path, to + lines + "\n")
    assert [problem for problem in refused.value.problems if said in f"{problem.key}: {problem.message}"]
