"""The Open API as one ASGI application: the checks in their order, the call, the envelope, one log line.

Contract sections 1 and 3. Nothing of a query string, token, body or name is ever logged.
"""

import gzip
import itertools
import secrets
import time
from typing import Final

from huiyao import errors, telemetry
from huiyao.openapi import meeting, personal, token, workbench
from huiyao.openapi.admission import Admission
from huiyao.openapi.call import BASE, Call, Style
from huiyao.openapi.context import named_organisation, parse_parameters
from huiyao.openapi.document import document
from huiyao.openapi.measured import Measured
from huiyao.openapi.proxies import TrustedProxies
from huiyao.openapi.reading import Bodies, Body, ClientGone
from huiyao.openapi.request import Receive, Request, Scope, Send
from huiyao.service.access import Access
from huiyao.service.caller import Caller, Services
from huiyao.service.pace import Standing
from huiyao.settings import Settings
from huiyao.wire import envelope

DOCUMENT: Final = f"{BASE}openapi.json"
LANGUAGES: Final = ("en", "zh")  # of the document, by ?lang=
_JSON: Final = (b"content-type", b"application/json;charset=UTF-8")
_NO_STORE: Final = (b"cache-control", b"no-store")


class OpenApi:
    """ASGI: everything below /openapi/."""

    def __init__(self, services: Services, access: Access, settings: Settings) -> None:
        self._services = services
        self._access = access
        self._settings = settings
        self.calls = (
            *token.CALLS,
            *workbench.calls(settings.max_members),
            *personal.calls(settings.address),
            *meeting.calls(settings.max_members),
        )
        self._table = {call.path: Measured(call) for call in self.calls}
        self._elsewhere = Measured(None)
        self._documents = {
            language: gzip.compress(
                document(self.calls, public_url=settings.public_url, in_chinese=language == "zh"), mtime=0
            )
            for language in LANGUAGES
        }
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._admission = Admission(services, access, settings, self._proxies)
        self._bodies = Bodies(limit_bytes=settings.max_body_bytes)
        self._in_flight = 0  # calls whose requests are complete
        self._node = secrets.token_hex(6).encode()
        self._numbers = itertools.count(1)  # with the node, what makes a request id
        self._log = telemetry.logger().bind()
        self._verbose = settings.log_level == "debug"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, self._services, self._access)
        entry = self._table.get(request.path, self._elsewhere)
        request_id = request.client_id or b"%b-%x" % (self._node, next(self._numbers))
        error: errors.ApiError | None = None
        trace: str | None = None
        body = Body(self._bodies)
        try:
            if request.path == DOCUMENT:
                await self._describe(request, request_id, send)
                return
            try:
                if entry.call is None:
                    raise errors.UnknownPath
                self._refuse_if_overloaded()
                request.body = await body.read(request.headers, receive)
                # Not before: whoever sends a byte a second would take the places of those who are quick.
                self._refuse_if_overloaded()
                self._in_flight += 1
                try:
                    answer = envelope.success(await self._serve(entry.call, request), sdk=request.sdk)
                finally:
                    self._in_flight -= 1
            except ClientGone:
                return
            except errors.ApiError as refusal:
                error = refusal
            except Exception as failure:
                error, trace = errors.SystemFailure(), telemetry.frames(failure)
            if error is None:
                await _send(send, answer, request_id, standing=request.standing)
            else:
                answer = envelope.failure(error.code, error.message(english=request.english), sdk=request.sdk)
                await _send(
                    send,
                    answer,
                    request_id,
                    standing=request.standing,
                    status=error.http_status,
                    retry_after=error.retry_after_seconds,
                )
        finally:
            body.release()
        self._record(entry, request_id, error, trace, time.perf_counter() - started)

    async def _describe(self, request: Request, request_id: bytes, send: Send) -> None:
        """The OpenAPI document; nearly all of it is the same again and again, so it is kept small."""
        zipped = self._documents.get(request.query().get("lang", ""), self._documents["en"])
        if b"gzip" in request.headers.get(b"accept-encoding", b""):
            more = ((b"content-encoding", b"gzip"), (b"vary", b"accept-encoding"))
            await _send(send, zipped, request_id, more=more)
        else:
            await _send(send, gzip.decompress(zipped), request_id, more=((b"vary", b"accept-encoding"),))

    def _refuse_if_overloaded(self) -> None:
        if self._in_flight >= self._settings.max_waiting:
            raise errors.Overloaded

    async def _serve(self, call: Call, request: Request) -> bytes | None:
        """The checks in the order of contract section 3, then the call itself."""
        if self._settings.require_https and not self._proxies.secure(
            request.scope, request.headers.get(b"x-forwarded-proto")
        ):
            raise errors.HttpsNeeded
        if request.method != call.method:
            raise errors.GetNeeded if call.method == "GET" else errors.PostNeeded
        if call.style is Style.TOKEN:
            request.app = await self._admission.authenticate(request, *token.credentials(request))
            return await call.handle(request)
        app = await self._admission.verify(request)
        await self._admission.admit(call, app, request)
        org = await self._access.organisation(app, named_organisation(call, request))
        request.caller = Caller(app.id, org, parse_parameters(call, request))
        return await call.handle(request)

    def _record(
        self,
        entry: Measured,
        request_id: bytes,
        error: errors.ApiError | None,
        trace: str | None,
        seconds: float,
    ) -> None:
        """Count the call, and log it in one line; a log line costs more than most of the call, so not every one.

        Nor what came too often: who floods the server must not fill its disk, too.
        """
        status = error.code if error else 0
        entry.count(status, seconds)
        if (error is None or error.code == errors.TooOften.code) and not self._verbose:
            return
        log = self._log.error if trace else self._log.info if error else self._log.debug
        facts = {"trace": trace} if trace else {}
        log(
            "call",
            call=entry.name,
            status=status,
            ms=round(seconds * 1000, 3),
            request_id=request_id.decode(),
            **facts,
        )


async def _send(
    send: Send,
    answer: bytes,
    request_id: bytes,
    *,
    standing: Standing | None = None,
    status: int = 200,
    retry_after: int | None = None,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    headers = [
        _JSON,
        (b"content-length", b"%d" % len(answer)),
        _NO_STORE,
        (b"x-request-id", request_id),
        *more,
    ]
    if standing is not None:
        headers += (
            (b"x-ratelimit-limit", b"%d" % standing.limit),
            (b"x-ratelimit-remaining", b"%d" % standing.remaining),
            (b"x-ratelimit-reset", b"%d" % standing.reset_seconds),
        )
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % retry_after))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
