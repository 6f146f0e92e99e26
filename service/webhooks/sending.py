"""One HTTP POST to an address that somebody else chose, without letting them reach inward.

The name is resolved once, every address it gives is judged, and the connection goes to the judged
address, so that a name cannot change its mind in between. Redirects are not followed, proxies of
the environment are not used, nothing of the answer is kept but its status.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """The message could not be handed over; the text says why, in words for the webhook's owner."""


def is_public(address: Address) -> bool:
    """Whether an address is of the public Internet, looking through IPv6 forms of IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None:
            return False
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """The address to connect to. Raises Refused unless all that the name gives may be reached."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused("its host has no address") from None
    places = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not allow_private and not all(is_public(ipaddress.ip_address(place)) for place in places):
        raise Refused("its host is on a private, loopback or link-local address")
    return places[0]


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, allow_private: bool
) -> int:
    """Send; returns the status, of any kind. Raises Refused."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    assert parts.hostname is not None
    place = resolve(parts.hostname, port, allow_private=allow_private)
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=seconds)
    try:
        plain = socket.create_connection((place, port), seconds)
        # A receiver that answers a byte at a time would be within every single timeout.
        deadline = threading.Timer(seconds, _cut, (plain,))
        deadline.daemon = True
        deadline.start()
        try:
            if secure:
                context = ssl.create_default_context()
                connection.sock = context.wrap_socket(plain, server_hostname=parts.hostname)
            else:
                connection.sock = plain
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, dict(headers))
            return connection.getresponse().status
        finally:
            deadline.cancel()
            plain.close()
    except ssl.SSLError:
        raise Refused("its certificate or TLS is not accepted") from None
    except TimeoutError:
        raise Refused("it did not answer in time") from None
    except (OSError, http.client.HTTPException, ValueError):
        raise Refused("it cannot be reached or does not speak HTTP") from None
    finally:
        connection.close()


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
