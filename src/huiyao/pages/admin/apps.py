"""Apps: which there are, what each may do, and switching that on and off. Secrets are never here."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao.errors import OperatorError
from huiyao.model import USUAL_CALLS, App, Grant, Session
from huiyao.pages.admin.desk import Desk, Refusal, identifier, mark, path_id
from huiyao.pages.forms import Form
from huiyao.service import operate


class Apps:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._storage = desk.storage

    def routes(self) -> list[Route]:
        one = "/admin/apps/{app}"
        return [
            self._desk.shows("/admin/apps", self.show_all),
            self._desk.shows(one, self.show),
            self._desk.does(f"{one}/disable", self._disable, show=self.show),
            self._desk.does(f"{one}/enable", self._enable, show=self.show),
            self._desk.does(f"{one}/grants", self._grant, show=self.show),
            self._desk.does(f"{one}/organisations", self._organisations, show=self.show),
            self._desk.does(f"{one}/limits", self._limits, show=self.show),
        ]

    async def show_all(self, request: Request, refusal: Refusal) -> Response:
        apps, orgs = await self._storage.apps(), await self._storage.orgs()
        return self._desk.page(
            request, "admin/apps.html", refusal, apps=apps, names={one.id: one.name for one in orgs}
        )

    async def show(self, request: Request, refusal: Refusal) -> Response:
        """After a refusal of limits with what was entered."""
        app = await self._app(request)
        entered = refusal.entered if refusal.entered.has("rate") else None
        return self._desk.page(
            request,
            "admin/app.html",
            refusal,
            app=app,
            networks=entered.get("ip") if entered else "\n".join(app.ip_list),
            calls=USUAL_CALLS,
            allowed=frozenset(entered.all("api")) if entered else app.api_list or frozenset(USUAL_CALLS),
            rate=entered.get("rate") if entered else app.rate or "",
            quota=entered.get("quota") if entered else app.quota or "",
            default_rate=self._desk.site.settings.rate_per_second,
            fault=_fault(entered) if entered else "",
            orgs=await self._storage.orgs(),
            permissions=[one.value for one in Grant],
        )

    async def _disable(self, request: Request, session: Session, form: Form) -> str:
        return await self._switch(request, session, disabled=True)

    async def _enable(self, request: Request, session: Session, form: Form) -> str:
        return await self._switch(request, session, disabled=False)

    async def _switch(self, request: Request, session: Session, *, disabled: bool) -> str:
        app = await self._app(request)
        await operate.disable_app(self._storage, app.id, disabled=disabled)
        done = "disabled" if disabled else "enabled"
        mark(f"app {done}", session, app_id=app.id)
        return f"/admin/apps/{app.id}?done={done}"

    async def _grant(self, request: Request, session: Session, form: Form) -> str:
        """The permissions that are ticked, and no others."""
        wanted = form.all("grant")
        app = await operate.set_app(
            self._storage,
            (await self._app(request)).id,
            name=None,
            orgs=None,
            default_org=None,
            grant=wanted,
            ungrant=[one.value for one in Grant if one not in wanted],
        )
        mark("app's permissions changed", session, app_id=app.id, grants=sorted(app.grants))
        return f"/admin/apps/{app.id}?done=changed"

    async def _organisations(self, request: Request, session: Session, form: Form) -> str:
        """The organisations that are ticked, and no others."""
        app = await self._app(request)
        chosen = tuple(_org_id(one) for one in form.all("org"))
        default = form.get("default")
        app = await operate.set_app(
            self._storage,
            app.id,
            name=None,
            orgs=chosen,
            default_org=_org_id(default) if default else None,
        )
        mark("app's organisations changed", session, app_id=app.id, orgs=list(app.orgs))
        return f"/admin/apps/{app.id}?done=changed"

    async def _limits(self, request: Request, session: Session, form: Form) -> str:
        """All calls ticked is no list of them; an empty field is no limit."""
        app = await self._app(request)
        wanted = form.all("api")
        if not wanted:
            raise OperatorError("An app that may make no usual call at all is better disabled.")
        app = await operate.set_app(
            self._storage,
            app.id,
            name=None,
            orgs=None,
            default_org=None,
            rate=_number(form, "rate", operate.LARGEST_RATE),
            quota=_number(form, "quota", operate.LARGEST_QUOTA),
            ip_list=form.get("ip").replace(",", " ").split(),
            api_list=() if set(wanted) >= set(USUAL_CALLS) else wanted,
        )
        mark("app's limits changed", session, app_id=app.id, rate=app.rate, quota=app.quota)
        return f"/admin/apps/{app.id}?done=changed"

    async def _app(self, request: Request) -> App:
        app = await self._storage.app(path_id(request, "app"))
        if app is None:
            raise HTTPException(404)
        return app


def _number(form: Form, name: str, at_most: int) -> int:
    """Raises OperatorError."""
    found = form.number(name) if form.get(name).strip() else 0
    if found is None or found > at_most:
        raise OperatorError(f"A limit is a number from 0 to {at_most}.")
    return found


def _fault(entered: Form) -> str:
    """The field of the limits that was refused; they are looked at in this order."""
    if not entered.all("api"):
        return "api"
    for name, at_most in (("rate", operate.LARGEST_RATE), ("quota", operate.LARGEST_QUOTA)):
        number = entered.number(name) if entered.get(name).strip() else 0
        if number is None or number > at_most:
            return name
    return "ip"


def _org_id(text: str) -> int:
    found = identifier(text)
    if found is None:
        raise HTTPException(400)
    return found
