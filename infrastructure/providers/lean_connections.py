"""The connections of a lean client, over aiohttp; importing this module imports aiohttp, so only a first call does."""

from __future__ import annotations

import logging
import os
import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from . import wire

MOST_CONNECTIONS = 2_000  # at once; a call beyond waits for its place, within its time
KEPT_IDLE = 4.0  # seconds; many servers of one's own (uvicorn, Node) close an idle connection after 5
# Of one call, in seconds. A call with a time-out is bounded as a whole by it, so each wait for bytes needs no timer of
# its own, which would be set anew with every piece of a stream.
BOUNDED = aiohttp.ClientTimeout(total=None, sock_connect=wire.CONNECT_TIMEOUT)
UNBOUNDED = aiohttp.ClientTimeout(total=None, sock_connect=wire.CONNECT_TIMEOUT, sock_read=wire.READ_TIMEOUT)
# Where systems keep their certificates, for a Python whose OpenSSL was built elsewhere. Source: httpcore2 2.16.2.
CERTIFICATES = (  # the last also on macOS
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class NoConnectionError(aiohttp.ClientError):
    """No connection came about, to the provider or through the proxy: nothing of the request was sent."""


class UnusableProxyError(ValueError):
    """The environment names a proxy that this client cannot speak to."""


class WatchedConnector(aiohttp.TCPConnector):
    """Tells the call's `Wire` that from here on its request may leave; a fork's copy is closed, and never touched.

    A child that closed what it inherited would take the parent's sockets out of the parent's own event loop.
    """

    def __init__(self, **options: Any) -> None:
        self._process = os.getpid()
        super().__init__(**options)

    async def connect(self, *args: Any, **options: Any) -> Any:
        """A connection, new or kept. Raises NoConnectionError, or TimeoutError."""
        try:
            connection = await super().connect(*args, **options)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise NoConnectionError(str(error)) from error
        if (way := wire.current.get(None)) is not None:
            way.sent = True
        return connection

    @property
    def closed(self) -> bool:
        """Whether it can be used no more."""
        return super().closed or self._process != os.getpid()

    def __del__(self, *args: Any) -> None:
        if self._process == os.getpid():
            super().__del__(*args)


def open_session(base_url: str) -> aiohttp.ClientSession:
    """A session of the running loop for one address. Raises UnusableProxyError."""
    _silence()
    proxy = proxy_of(base_url)
    secure = base_url.startswith("https:")
    return aiohttp.ClientSession(
        connector=WatchedConnector(
            limit=MOST_CONNECTIONS, keepalive_timeout=KEPT_IDLE, ssl=tls_context() if secure else True
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy,
        trust_env=False,  # aiohttp would read the proxy in a thread, and .netrc, at every call
    )


def proxy_of(base_url: str) -> str | None:
    """The proxy that the environment names for the address, as the SDKs read it. Raises UnusableProxyError."""
    url, proxies = urlsplit(base_url), getproxies()
    named = proxies.get(url.scheme) or proxies.get("all")
    if not named or proxy_bypass(url.hostname or ""):
        return None
    proxy = named if "://" in named else f"http://{named}"
    kind = urlsplit(proxy).scheme
    if kind not in ("http", "https"):
        raise UnusableProxyError(
            f"a proxy of the kind {kind}:// needs the setting transport = sdk (and the SDKs' SOCKS support)"
        )
    return proxy


def tls_context() -> ssl.SSLContext:
    """Verifies against the system's certificates, or those of SSL_CERT_FILE and SSL_CERT_DIR."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not paths.capath:
        for file in filter(os.path.isfile, CERTIFICATES):
            context.load_verify_locations(file)
            break
    context.set_alpn_protocols(["http/1.1"])
    return context


def _silence() -> None:
    """aiohttp's own log lines may show parts of headers."""
    for name in ("aiohttp.client", "aiohttp.internal"):
        logging.getLogger(name).setLevel(logging.ERROR)
