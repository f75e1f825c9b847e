"""Sums of money in words."""

from decimal import Decimal, InvalidOperation
from typing import Any

from relay.domain.words import shown

_WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
)
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))

_MOST_DIGITS = 30


def digits_of(currency: str) -> int:
    """Return how many digits of a currency, such as `EUR`, stand behind the point (ISO 4217)."""
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def money(amount: Any, currency: Any = "", *, minor: int | None = None) -> str:
    """Return a sum as `1,234.50 EUR`; what is no number comes as it is.

    `minor` says that `amount` counts the currency's small unit, of which ten to the power of `minor` make a whole one.
    Digits that are there are never rounded away.
    """
    code = currency.strip().upper() if isinstance(currency, str) else ""
    number = _decimal(amount)
    if number is None:
        return shown(amount)
    if minor is not None:
        number = number.scaleb(-minor)
    # Trailing zeros are no digits that say anything.
    digits = max(digits_of(code), -int(number.normalize().as_tuple().exponent))
    return f"{number:,.{digits}f} {code}".rstrip()


def _decimal(amount: Any) -> Decimal | None:
    if isinstance(amount, bool) or not isinstance(amount, int | float | str | Decimal):
        return None
    if isinstance(amount, str | int) and len(str(amount)) > _MOST_DIGITS:
        return None
    try:
        number = Decimal(str(amount).strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        return None
    return number
