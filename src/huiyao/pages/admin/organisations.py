"""Organisations: which there are, and changing name, time zone and directory."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao.model import Org, Session
from huiyao.pages.admin.desk import Desk, Refusal, mark, path_id
from huiyao.pages.forms import Form
from huiyao.service import operate, people

COUNTED: Final = 1000  # people of an organisation; more are not counted


class Organisations:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._storage = desk.storage

    def routes(self) -> list[Route]:
        one = "/admin/organisations/{org}"
        return [
            self._desk.shows("/admin/organisations", self.show_all),
            self._desk.shows(one, self.show),
            self._desk.does(one, self._change, show=self.show),
        ]

    async def show_all(self, request: Request, refusal: Refusal) -> Response:
        orgs = await self._storage.orgs()
        return self._desk.page(request, "admin/organisations.html", refusal, orgs=orgs)

    async def show(self, request: Request, refusal: Refusal) -> Response:
        """After a refusal with what was entered."""
        org = await self._org(request)
        apps = [one for one in await self._storage.apps() if org.id in one.orgs]
        found = await self._storage.search_people(org.id, (), mobile=None, after_uid="", size=COUNTED + 1)
        timezone = refusal.entered.get("timezone", org.timezone)
        # One that only the command line takes stays as it is.
        zones = sorted({*people.timezones(), org.timezone})
        return self._desk.page(
            request,
            "admin/organisation.html",
            refusal,
            org=org,
            name=refusal.entered.get("name", org.name),
            timezone=timezone,
            closed=refusal.entered.get("directory") == "closed" if refusal else org.closed,
            zones=zones,
            fault=("name" if timezone in zones else "timezone") if refusal else "",
            apps=apps,
            people=len(found) if len(found) <= COUNTED else f"{COUNTED}+",
        )

    async def _change(self, request: Request, session: Session, form: Form) -> str:
        org = await self._org(request)
        directory = form.get("directory")
        if directory not in ("open", "closed"):
            raise HTTPException(400)
        await operate.set_org(
            self._storage,
            org.id,
            name=form.get("name"),
            timezone=form.get("timezone"),
            closed=directory == "closed",
        )
        mark("organisation changed", session, org_id=org.id)
        return f"/admin/organisations/{org.id}?done=changed"

    async def _org(self, request: Request) -> Org:
        org = await self._storage.org(path_id(request, "org"))
        if org is None:
            raise HTTPException(404)
        return org
