"""What all pages work with: the services, the templates, and how an answer to a browser is made."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from huiyao.model import Org, Session
from huiyao.openapi.proxies import TrustedProxies
from huiyao.pages import catalog, visitor
from huiyao.pages.live import Live
from huiyao.pages.static_files import StaticFiles
from huiyao.pages.visitor import Visitor
from huiyao.service import workbench
from huiyao.service.access import Access
from huiyao.service.caller import Services
from huiyao.service.keyring import Keyring
from huiyao.settings import Settings
from huiyao.wire import cursor

TEMPLATES: Final = Path(__file__).parent / "templates"

Page = Callable[[Request], Awaitable[Response]]


class _Id(Convertor[int]):
    """{name:id} in a route: a number that can be an id; what cannot is no address."""

    regex = "[1-9][0-9]{0,15}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("id", _Id())


class Site:
    """One for a process. `sandbox_app` is the app in whose name anybody may sign in; None but in the sandbox."""

    def __init__(
        self,
        services: Services,
        access: Access,
        settings: Settings,
        live: Live,
        *,
        keyring: Keyring,
        sandbox_app: int | None = None,
    ) -> None:
        self.services = services
        self.access = access
        self.settings = settings
        self.live = live
        self.keyring = keyring
        self.sandbox_app = sandbox_app
        self.static = StaticFiles()
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._environments = {one: self._environment(one) for one in (catalog.CHINESE, catalog.ENGLISH)}

    def signed_in(self, page: Callable[[Request, Visitor], Awaitable[Response]]) -> Page:
        """The page for people who are signed in; others are told how to sign in."""

        async def only(request: Request) -> Response:
            who = await visitor.find(request, self.services, self.access)
            if who is None:
                return await self.signed_out(request)
            return await page(request, who)

        return only

    def operators(self, page: Callable[[Request, Session], Awaitable[Response]]) -> Page:
        """The page for an operator who has come through `huiyao admin link`."""

        async def only(request: Request) -> Response:
            session = await visitor.find_operator(request, self.services)
            if session is None:
                response = self.page(request, "admin/signed_out.html", None, status=401)
                if is_htmx(request):  # the page behind it must not go on as if nothing had happened
                    response.headers["HX-Redirect"] = "/admin/"
                return response
            return await page(request, session)

        return only

    async def signed_out(self, request: Request) -> Response:
        if self.sandbox_app is not None and not _is_fragment(request):
            return RedirectResponse("/workbench/choose", 303)
        response = self.page(request, "signed_out.html", None, status=401)
        if _is_fragment(request):  # the page behind it must not go on as if nothing had happened
            response.headers["HX-Redirect"] = "/workbench/"
        return response

    def page(
        self,
        request: Request,
        template: str,
        who: Visitor | None,
        /,
        *,
        status: int = 200,
        locale: str | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """A template as the answer. `who` None: nobody is signed in, and the browser's language is spoken."""
        spoken = locale or (who.locale if who else visitor.locale(request, None))
        text = self.render(template, spoken, who=who, path=request.url.path, status=status, **values)
        return HTMLResponse(text, status, headers={"content-language": spoken, "vary": "accept-language"})

    def render(self, template: str, locale: str, /, **values: Any) -> str:
        return self._environments[locale].get_template(template).render(locale=locale, **values)

    async def counts(self, who: Visitor) -> dict[str, Any]:
        """The numbers every whole page shows."""
        page = await self.services.storage.inbox(who.org.id, who.uid, after=None, size=1)
        return {
            "waiting": await workbench.waiting(self.services, who.caller),
            "unread": page.unread,
            "cursor": cursor.write(page.end),
        }

    def words(self, locale: str) -> Callable[[str], str]:
        """From English into a language."""
        return catalog.translations(locale).gettext

    async def sandbox_org(self) -> Org | None:
        """Whose people anybody may be; None but in the sandbox."""
        app = None if self.sandbox_app is None else await self.services.storage.app(self.sandbox_app)
        return await self.services.storage.org(app.orgs[0]) if app and app.orgs else None

    def secure(self, request: Request) -> bool:
        """Whether the browser came by https, a trusted proxy's word counting."""
        forwarded = request.headers.get("x-forwarded-proto", "").encode("latin-1")
        return self._proxies.secure(request.scope, forwarded)

    def _environment(self, locale: str) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.globals["static"] = self.static.address
        environment.globals["sandbox"] = self.sandbox_app is not None
        # (jinja2.ext.i18n adds the method)
        environment.install_gettext_translations(  # type: ignore[attr-defined]
            catalog.translations(locale), newstyle=True
        )
        return environment


def is_htmx(request: Request) -> bool:
    """Whether our script asked, for a part of a page."""
    return request.headers.get("hx-request") == "true"


def _is_fragment(request: Request) -> bool:
    return is_htmx(request) or request.url.path == "/workbench/live"


def tell(response: Response, text: str, *, bad: bool = False, **events: Any) -> Response:
    """Have the browser show a line for some seconds, and hear of events (script of ours listens)."""
    told: dict[str, Any] = {"toast": {"text": text, "bad": bad}, **events}
    # A header holds no Chinese.
    response.headers["HX-Trigger"] = json.dumps(told, ensure_ascii=True)
    return response
