"""One request to an app's receiver, and what its answer means (contract section 7).

The address is looked up and checked for each request, and the request goes to that very address: there is no second
look-up. Redirects are not followed, proxies of the environment not used, and of an answer only its beginning is read.
"""

import asyncio
import ssl
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec

from huiyao.channels import target
from huiyao.channels.target import BadTarget, Network, Resolve, Resolver
from huiyao.model import CallbackStyle

REQUEST_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
LONGEST_ANSWER: Final = 16_384  # bytes
LONGEST_WISH_SECONDS: Final = 86_400
CONNECTIONS_KEPT: Final = 4
IDLE_SECONDS: Final = 30.0
GONE: Final = 410


class Request(msgspec.Struct, frozen=True):
    body: bytes
    headers: Mapping[str, str]


class Taken(msgspec.Struct, frozen=True):
    """The receiver has it."""

    outcome: str


class NotTaken(msgspec.Struct, frozen=True):
    """It may not have it: to be tried again. `down`: the receiver as a whole is of no use now; else it said no."""

    outcome: str
    down: bool
    after_seconds: int | None = None  # the receiver's wish


class Gone(msgspec.Struct, frozen=True):
    """The receiver wants nothing any more, ever."""

    outcome: str = "410"


Answer = Taken | NotTaken | Gone


class _Status(msgspec.Struct):
    status: int


def trust() -> ssl.SSLContext:
    """Whose certificates count: Mozilla's authorities, and the system's or those of SSL_CERT_FILE and SSL_CERT_DIR."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


class Receiver:
    """Where one app's events go; its connections are its own, `context`, which is costly to make, is shared."""

    def __init__(
        self,
        url: str,
        *,
        allowed: Iterable[Network] = (),
        resolve: Resolve,
        request_seconds: float = REQUEST_SECONDS,
        context: ssl.SSLContext,
    ) -> None:
        self.url = url
        self._allowed = tuple(allowed)
        self._resolve = resolve
        self._request_seconds = request_seconds
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            verify=context,
            timeout=httpx.Timeout(request_seconds, connect=min(CONNECT_SECONDS, request_seconds)),
            limits=httpx.Limits(max_keepalive_connections=CONNECTIONS_KEPT, keepalive_expiry=IDLE_SECONDS),
            headers={"user-agent": "huiyao", "accept": "*/*", "accept-encoding": "identity"},
        )

    async def post(self, request: Request, *, style: str) -> Answer:
        """Write one request and wait at most `request_seconds` for its answer."""
        try:
            async with asyncio.timeout(self._request_seconds):
                return await self._post(request, style=style)
        except BadTarget as error:
            return NotTaken(error.reason, down=True)
        except (TimeoutError, httpx.TimeoutException):
            return NotTaken("timeout", down=True)
        except httpx.ConnectError as error:
            return NotTaken("bad_certificate" if "CERTIFICATE" in str(error) else "no_connection", down=True)
        except (httpx.HTTPError, httpx.InvalidURL):
            return NotTaken("no_answer", down=True)

    async def _post(self, request: Request, *, style: str) -> Answer:
        where = target.parse(self.url)
        found = await target.addresses(where, resolve=self._resolve, allowed=self._allowed)
        for last, address in enumerate(found, 1 - len(found)):
            try:
                return await self._post_to(where, address, request, style=style)
            except (httpx.ConnectError, httpx.ConnectTimeout):  # nothing was written: the next may be reached
                if last == 0:
                    raise
        raise AssertionError("unreachable")

    async def _post_to(self, where: target.Target, address: str, request: Request, *, style: str) -> Answer:
        async with self._client.stream(
            "POST",
            where.at(address),
            content=request.body,
            headers={**request.headers, "host": where.authority},
            extensions={"sni_hostname": where.host},  # what the certificate must be for
        ) as response:
            body = b""
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > LONGEST_ANSWER:
                    break
            return judge(
                response.status_code, body, style=style, retry_after=response.headers.get("retry-after")
            )

    async def close(self) -> None:
        await self._client.aclose()


def judge(status: int, body: bytes, *, style: str, retry_after: str | None = None) -> Answer:
    """What an answer means: in the platform's style only HTTP 200 with {"status":0,…} takes the event."""
    if status == GONE:
        return Gone()
    if style == CallbackStyle.STANDARD:
        if 200 <= status < 300:
            return Taken(str(status))
    elif status == 200:
        try:
            found = msgspec.json.decode(body, type=_Status).status
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return NotTaken("bad_answer", down=False)
        return Taken("200") if found == 0 else NotTaken("refused", down=False)
    wish = wanted_pause(retry_after) if status in (429, 503) else None
    return NotTaken(str(status), down=status >= 500 or status == 429, after_seconds=wish)


def wanted_pause(header: str | None) -> int | None:
    """The seconds that a Retry-After asks for (RFC 9110, 10.2.3), a day at the most; None: it asks for nothing."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:10]), LONGEST_WISH_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = at if at.tzinfo else at.replace(tzinfo=UTC)
    seconds = (moment - datetime.fromtimestamp(time.time(), UTC)).total_seconds()
    return min(max(0, round(seconds)), LONGEST_WISH_SECONDS)


async def check(url: str, *, allowed: Iterable[Network]) -> None:
    """When a URL is registered. Raises BadTarget; a name that is not known yet is looked up again for each request."""
    where = target.parse(url)
    resolver = Resolver()
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            await target.addresses(where, resolve=resolver, allowed=allowed)
    except TimeoutError:
        return
    except BadTarget as error:
        if error.reason != "no_such_host":
            raise
    finally:
        resolver.close()
