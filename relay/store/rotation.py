"""Signing secrets that were replaced: kept sealed, each with the time of its replacement, for as long as they sign."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from pydantic import SecretStr

from relay.domain.target import Former
from relay.errors import InvalidConfiguration
from relay.secrets import Sealer


def retire(
    before: Mapping[str, Any], after: Mapping[str, Any], former: Sequence[Former], now: datetime
) -> tuple[Former, ...]:
    """Return the former secrets of a target whose specification changes: what it no longer signs with joins them.

    A target that signs with nothing any more has none: whoever lost a secret takes it out of use at once that way.
    """
    known, wanted = _secrets(before), _secrets(after)
    if not wanted:
        return ()
    retired = [secret for secret in known if secret not in wanted]
    fresh = {*wanted, *retired}
    staying = [one for one in former if one.signs(now) and one.secret.get_secret_value() not in fresh]
    return (*staying, *(Former(SecretStr(secret), now) for secret in retired))


def seal(former: Sequence[Former], sealer: Sealer) -> str | None:
    """Return former secrets as they are stored."""
    if not former:
        return None
    written = [{"secret": one.secret.get_secret_value(), "at": one.replaced_at} for one in former]
    return sealer.seal(orjson.dumps(written).decode())


def unseal(sealed: str | None, sealer: Sealer) -> tuple[Former, ...]:
    """Return former secrets as they were stored. Raises `InvalidConfiguration` when no key opens them."""
    if sealed is None:
        return ()
    written = orjson.loads(sealer.open(sealed))
    return tuple(Former(SecretStr(one["secret"]), datetime.fromisoformat(one["at"])) for one in written)


def retired_by(
    stored: tuple[str, str | None] | None, after: Mapping[str, Any], sealer: Sealer, now: datetime
) -> str | None:
    """Return what to store when `after` replaces a target's sealed specification and its former secrets."""
    if stored is None:
        return None
    try:
        before, former = orjson.loads(sealer.open(stored[0])), unseal(stored[1], sealer)
    except InvalidConfiguration:
        # Sealed with a key that is lost: what cannot be read signs no more.
        return None
    return seal(retire(before, after, former, now), sealer)


def _secrets(spec: Mapping[str, Any]) -> list[str]:
    secrets = spec.get("secret") or []
    return [secrets] if isinstance(secrets, str) else list(secrets)
