"""Sums of money in words."""

from decimal import Decimal, InvalidOperation
from typing import Any

from relay.domain.words import shown

# ISO 4217, those replaced in the last years (ANG, BGN, CUC, HRK, SLL, ZWL) too: old sums are still told.
_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ
GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL
LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD
TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF
XPT XSU XTS XUA XXX YER ZAR ZMW ZWG ZWL
"""
CURRENCIES = frozenset(_CODES.split())

_WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
)
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))

_MOST_DIGITS = 30


def code_of(currency: str) -> str:
    """Return a currency as ISO 4217 writes it, if it is one: without spaces around it, in capitals."""
    return currency.strip().upper()


def digits_of(currency: str) -> int:
    """Return how many digits of a currency, such as `EUR`, stand behind the point (ISO 4217)."""
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def money(amount: Any, currency: Any = "", *, minor: int | None = None) -> str:
    """Return a sum as `1,234.50 EUR`; what is no number comes as it is.

    `minor` says that `amount` counts the currency's small unit, of which ten to the power of `minor` make a whole one.
    Digits that are there are never rounded away.
    """
    code = code_of(currency) if isinstance(currency, str) else ""
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
