"""What docker-compose.yml and the Dockerfile promise to whoever runs the relay in production."""

import json
import re
from pathlib import Path
from typing import Any

import check_jsonschema
import pytest
import typer
import yaml
from jsonschema.validators import validator_for

from relay.cli import app

ROOT = Path(__file__).parents[2]
SCHEMA = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()

ONE_SHOT = "migrate"
ROLES = ("web", "worker", "beat")
GRACE_SECONDS = 40
REFERENCE = re.compile(r"\$\{[A-Z_]+(?::[-?][^}]*)?\}")
PINNED = re.compile(r":\d+(\.\d+)*(-[a-z0-9.]+)?$")

long_running = pytest.mark.parametrize("name", sorted(SERVICES.keys() - {ONE_SHOT}))


def commands() -> set[str]:
    """Return the names of the subcommands that `relay` has."""
    return set(typer.main.get_group(app).commands)


def instructions(word: str) -> list[list[str]]:
    """Return the words after each `word` instruction of the Dockerfile."""
    return [line.split()[1:] for line in DOCKERFILE.splitlines() if line.split()[:1] == [word]]


def test_it_is_a_compose_file():
    """It is what the Compose specification calls a project."""
    schema = json.loads(SCHEMA.read_text())
    errors = validator_for(schema)(schema).iter_errors(COMPOSE)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_it_holds_every_role():
    """A database, a broker, the migrations and the three roles."""
    assert set(SERVICES) == {"postgres", "valkey", ONE_SHOT, *ROLES}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_is_in_the_file(name: str):
    """Passwords, keys and tokens come from outside, and without them nothing starts."""
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD|KEY|TOKEN|SECRET|DATABASE_URL", variable):
            assert REFERENCE.findall(value), variable
            assert all(":?" in reference for reference in REFERENCE.findall(value)), variable
            assert not re.search(r"://[^:@/]+:[^$]", value), variable


@long_running
def test_every_service_says_whether_it_is_well(name: str):
    """Each has a check of its own, comes back by itself, and has time to stop."""
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert service["restart"] == "unless-stopped"
    assert "stop_grace_period" in service


@pytest.mark.parametrize("name", ROLES)
def test_checks_that_are_python_compile(name: str):
    """What a check runs inside the container is a program."""
    _, interpreter, flag, program = SERVICES[name]["healthcheck"]["test"]
    assert (interpreter, flag) == ("python", "-c")
    compile(program, name, "exec")


@pytest.mark.parametrize("name", ROLES)
def test_migrations_come_first(name: str):
    """No role starts before the schema is there and the broker answers."""
    needs = {other: how["condition"] for other, how in SERVICES[name]["depends_on"].items()}
    assert needs == {ONE_SHOT: "service_completed_successfully", "valkey": "service_healthy"}
    assert SERVICES[ONE_SHOT]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES[ONE_SHOT]["restart"] == "no"


def test_workers_scale():
    """`--scale worker=N` finds nothing that only one container can have."""
    assert SERVICES["worker"].keys() & {"container_name", "ports", "hostname", "volumes"} == set()


@pytest.mark.parametrize("name", ["web", "worker"])
def test_work_under_way_is_finished(name: str):
    """A container that stops is given longer than the requests it has under way."""
    grace = SERVICES[name]["stop_grace_period"]
    assert grace.endswith("s")
    assert int(grace.removesuffix("s")) > GRACE_SECONDS


def test_nothing_queued_is_lost_with_the_broker():
    """Valkey writes what it is given to disk, and refuses rather than forgets."""
    words = SERVICES["valkey"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert (options["--appendonly"], options["--maxmemory-policy"]) == ("yes", "noeviction")
    assert SERVICES["valkey"]["volumes"] == ["valkey:/data"]


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_images_are_of_one_major_version(name: str):
    """An upgrade to another major version is somebody's decision; data outlives the container."""
    assert PINNED.search(SERVICES[name]["image"])
    assert {volume.partition(":")[0] for volume in SERVICES[name]["volumes"]} <= COMPOSE["volumes"].keys()


@pytest.mark.parametrize("name", [ONE_SHOT, *ROLES])
def test_roles_run_what_there_is(name: str):
    """Each role is a subcommand of `relay`, in a container that can change nothing of itself."""
    service = SERVICES[name]
    assert service["command"][0] in commands()
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_the_configuration_is_mounted_read_only():
    """The relay reads relay.toml and cannot write it."""
    assert [volume.rpartition(":")[2] for volume in SERVICES["web"]["volumes"]] == ["ro"]


def test_the_image_runs_without_privileges():
    """The last stage ends as a numbered user that is not root, and starts a subcommand that exists."""
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert [int(line.split()[1]) for line in last.splitlines() if line.startswith("USER ")] == [10001]
    assert "HEALTHCHECK" in last
    assert instructions("ENTRYPOINT") == [['["relay"]']]
    assert json.loads(" ".join(instructions("CMD")[-1]))[0] in commands()


def test_the_image_holds_what_was_locked():
    """Every dependency is installed by its hash, in a stage of its own."""
    assert len(instructions("FROM")) == 2
    installs = re.findall(r"pip install (.*)", DOCKERFILE)
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


def test_the_builder_is_sent_what_it_copies_and_nothing_else():
    """Every COPY names something that exists and that .dockerignore lets through."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    allowed = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    sources = {
        source.rstrip("/") for words in instructions("COPY") for source in words[:-1] if "--from" not in words[0]
    }
    assert sources == allowed
    assert all((ROOT / source).exists() for source in sources)
