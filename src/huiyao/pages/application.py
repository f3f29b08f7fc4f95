"""The pages as one ASGI application: routes, what may come from where, headers that bind the browser, error pages."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from huiyao import errors, link, telemetry
from huiyao.pages import forms, outbox
from huiyao.pages.admin import routes as admin
from huiyao.pages.calendar import Calendar
from huiyao.pages.entering import Entering
from huiyao.pages.explorer import Explorer
from huiyao.pages.invitations import Invitations
from huiyao.pages.links import Links
from huiyao.pages.me import Me
from huiyao.pages.messages import Messages
from huiyao.pages.organize import Organize
from huiyao.pages.outbox import Outbox
from huiyao.pages.site import Site
from huiyao.pages.static_files import BASE
from huiyao.pages.streams import Streams

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATHS: Final = ("/workbench", "/admin", link.PATH, outbox.PATH)
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Without a referrer a browser would not say where a form comes from; other sites get none either way.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_STATUS: Final = {errors.SystemFailure: 500, errors.NoSuchMeeting: 404, errors.NotCreator: 403}
_TRANSPORT: Final = "max-age=31536000"


class Pages:
    """ASGI: everything below PATHS, the API explorer, and /."""

    def __init__(self, site: Site) -> None:
        self.site = site
        parts = (
            Calendar(site),
            Entering(site),
            Explorer(site),
            Invitations(site),
            Links(site),
            Me(site),
            Messages(site),
            Organize(site),
            Outbox(site),
            Streams(site),
        )
        self._application = Starlette(
            routes=[
                Route("/", self._root),
                Route("/workbench", self._root),
                Route(f"{BASE}{{name:path}}", site.static.serve),
                *(route for part in parts for route in part.routes()),
                *admin.routes(site),
            ],
            middleware=[Middleware(Guard, site=site), Middleware(GZipMiddleware, minimum_size=1000)],
            exception_handlers={
                HTTPException: self._refused,
                errors.ApiError: self._refused_by_rule,
            },
        )
        self._application.router.redirect_slashes = False  # it would put the Host header into an address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)

    async def _root(self, request: Request) -> Response:
        return RedirectResponse("/workbench/", 302)

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = self.site.page(request, "error.html", None, status=error.status_code)
        if error.headers:
            response.headers.update(error.headers)
        return response

    async def _refused_by_rule(self, request: Request, error: Exception) -> Response:
        """Those that the page itself has not explained."""
        busy = isinstance(error, errors.SystemFailure) and error.http_status == 503
        status = (
            503 if busy else next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 409)
        )
        response = self.site.page(request, "error.html", None, status=status)
        if busy:
            response.headers["retry-after"] = "2"
        return response


class Guard:
    """ASGI middleware: refuses what would change something and comes from elsewhere; all answers get the headers."""

    def __init__(self, app: Any, site: Site) -> None:
        self._app = app
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        personal = scope["path"].startswith(link.PATH)

        started = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if personal:
                    headers["referrer-policy"] = "no-referrer"
                if self.site.secure(request):
                    headers["strict-transport-security"] = _TRANSPORT
                headers.setdefault("cache-control", "no-store")
            await send(message)

        # A personal link is no cookie that a browser would send along by itself, and its pages name no origin.
        if not personal and not forms.same_origin(
            scope["method"], Headers(scope=scope), public_url=self.site.settings.public_url
        ):
            response = self.site.page(request, "error.html", None, status=403)
            await response(scope, receive, sending)
            return
        try:
            await self._app(scope, receive, sending)
        except Exception as failure:  # the loop's edge: a page's own mistake, told without its words
            telemetry.logger().error("page failed", error=telemetry.frames(failure))
            if not started:
                response = self.site.page(request, "error.html", None, status=500)
                await response(scope, receive, sending)
