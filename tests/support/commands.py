"""Commands of the relay, each a process of its own: forked from one that has imported what Python takes seconds for."""

import io
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from relay import cli, plugins, wiring
from relay.store import migrate

__all__ = ["run"]

# Imported here, so that no command imports them: this very module is what the server of the forks begins with.
_READY = (wiring, migrate, plugins.discover())

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__])


def run(
    words: Sequence[str], *, env: Mapping[str, str], cwd: Path, given: str | None, timeout: float
) -> tuple[int, str, str]:
    """Run a command to its end, in this environment; return its status, standard output and standard error."""
    with TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        process = _forks.Process(target=_be, args=(tuple(words), dict(env), cwd, given, out, err))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise AssertionError(f"relay {' '.join(words)} did not end within {timeout:g} s")
        return int(process.exitcode or 0), out.read_text(), err.read_text()


def _be(words: tuple[str, ...], env: dict[str, str], cwd: Path, given: str | None, out: Path, err: Path) -> None:
    """Be `python -m relay`, in a child that the server forked."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.stdin = io.TextIOWrapper(io.BytesIO((given or "").encode()), encoding="utf-8")
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = ["relay", *words]
    cli.main()
