"""Why a request got no response, in words that name neither the URL nor a secret."""

import errno
import os
from dataclasses import dataclass

import pycurl

from relay.domain.delivery import OutcomeName

LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without a response. `reason` is one line, fit for a log and for people."""

    kind: OutcomeName
    reason: str


_BY_CODE = {
    pycurl.E_COULDNT_RESOLVE_HOST: Failure(OutcomeName.DNS, "the host name does not resolve"),
    pycurl.E_GOT_NOTHING: Failure(OutcomeName.RESET, "the connection was closed without a response"),
    pycurl.E_RECV_ERROR: Failure(OutcomeName.RESET, "the connection was reset"),
    pycurl.E_SEND_ERROR: Failure(OutcomeName.RESET, "the connection was reset while the request was sent"),
    pycurl.E_PARTIAL_FILE: Failure(OutcomeName.RESET, "the connection was closed in the middle of the response"),
    pycurl.E_FILESIZE_EXCEEDED: Failure(OutcomeName.TOO_LARGE, "the response is larger than is read"),
    pycurl.E_UNSUPPORTED_PROTOCOL: Failure(OutcomeName.PROTOCOL, "the answer is not HTTP"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: Failure(OutcomeName.PROTOCOL, "the answer is not HTTP"),
    pycurl.E_HTTP2: Failure(OutcomeName.PROTOCOL, "the answer is not proper HTTP/2"),
    pycurl.E_BAD_FUNCTION_ARGUMENT: Failure(OutcomeName.PROTOCOL, "the request holds what cannot be sent"),
    pycurl.E_URL_MALFORMAT: Failure(OutcomeName.PROTOCOL, "the URL is malformed"),
}
# libcurl's CURLE_HTTP2_STREAM, which pycurl has no name for.
_HTTP2_STREAM = 92
# libcurl has one code for a connection that broke and for headers without end.
_TOO_LARGE = "Too large"
_TLS = {
    pycurl.E_SSL_CONNECT_ERROR,
    pycurl.E_SSL_CERTPROBLEM,
    pycurl.E_SSL_CIPHER,
    pycurl.E_PEER_FAILED_VERIFICATION,
    pycurl.E_SSL_CACERT_BADFILE,
    pycurl.E_SSL_ISSUER_ERROR,
    pycurl.E_SSL_PINNEDPUBKEYNOTMATCH,
    pycurl.E_SSL_INVALIDCERTSTATUS,
    pycurl.E_USE_SSL_FAILED,
}


def blocked(address: str) -> Failure:
    """Return the failure of a connection that the guard refused."""
    return Failure(
        OutcomeName.BLOCKED,
        f"{address} is a private address: name it in RELAY_EGRESS_ALLOW if the target may be reached",
    )


def timed_out(timeout: float, *, connected: bool) -> Failure:
    """Return the failure of a request that took longer than `timeout` seconds."""
    return Failure(OutcomeName.TIMEOUT, f"no {'complete response' if connected else 'connection'} within {timeout:g} s")


def unauthorised(reason: str) -> Failure:
    """Return the failure of a request for which there is no access token."""
    return Failure(OutcomeName.AUTH, f"no access token: {reason}")


def unsent(reason: str) -> Failure:
    """Return the failure of a notification that another library could not send."""
    return Failure(OutcomeName.UNSENT, reason)


def malformed(reason: str) -> Failure:
    """Return the failure of a request that cannot be sent at all."""
    return Failure(OutcomeName.PROTOCOL, reason)


def from_code(code: int, message: str, host: str, os_error: int) -> Failure:
    """Return what libcurl's result code means. `message` is libcurl's own text, `os_error` the last socket error."""
    if code in _TLS:
        return Failure(OutcomeName.TLS, _detail(message, host))
    if code == pycurl.E_COULDNT_CONNECT:
        return _unconnected(os_error)
    if code == pycurl.E_RECV_ERROR and _TOO_LARGE in message:
        return Failure(OutcomeName.TOO_LARGE, "the response's headers are larger than is read")
    if code == _HTTP2_STREAM:
        return Failure(OutcomeName.RESET, "the HTTP/2 stream was closed before its end")
    return _BY_CODE.get(code) or Failure(OutcomeName.NETWORK, pycurl.easy_strerror(code).lower())


def _unconnected(os_error: int) -> Failure:
    if os_error == errno.ECONNREFUSED:
        return Failure(OutcomeName.REFUSED, "the connection was refused")
    why = os.strerror(os_error).lower() if os_error else "no address of the host answered"
    return Failure(OutcomeName.NETWORK, f"no connection: {why}")


def _detail(message: str, host: str) -> str:
    """Return libcurl's message as one short line that does not name the host."""
    line = " ".join(message.split())
    return (line.replace(host, "the host") if host else line)[:LONGEST_DETAIL] or "the TLS handshake failed"
