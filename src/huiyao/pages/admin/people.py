"""People: found by name, uid or number, and what operators do with one: sign them out, erase them."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao import pinyin, telephone
from huiyao.errors import OperatorError
from huiyao.model import Org, Person, Session
from huiyao.pages.admin.desk import Desk, Refusal, identifier, mark, masked, sought
from huiyao.pages.catalog import N_
from huiyao.pages.forms import Form
from huiyao.service import people
from huiyao.storage.contract import Shelf

SHOWN: Final = 50
MOST_WORDS: Final = 8  # of a search
COUNTED: Final = 99  # upcoming cards; more are not counted

_MISTYPED: Final = N_("Type the uid exactly, to confirm.")


class People:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._storage = desk.storage

    def routes(self) -> list[Route]:
        one = "/admin/people/one"  # which one stands in the query: a uid may be anything
        return [
            self._desk.shows("/admin/people", self.show_all),
            self._desk.shows(one, self.show),
            self._desk.does(f"{one}/sign-out", self._sign_out, show=self.show),
            self._desk.does(f"{one}/erase", self._erase, show=self.show),
        ]

    async def show_all(self, request: Request, refusal: Refusal) -> Response:
        """People of one organisation by uid; without one named, of the first."""
        orgs = await self._storage.orgs()
        asked = request.query_params.get("org", "")
        org = (
            next((one for one in orgs if one.id == identifier(asked)), None)
            if asked
            else next(iter(orgs), None)
        )
        if asked and org is None:
            raise HTTPException(404)
        text = sought(request.query_params.get("q", ""))
        found = (
            await self._search(org, text, after_uid=_uid(request.query_params.get("after", "")))
            if org
            else []
        )
        shown = found[:SHOWN]
        more = {"org": org.id, "q": text, "after": shown[-1].uid} if org and len(found) > SHOWN else {}
        return self._desk.page(
            request,
            "admin/people.html",
            refusal,
            orgs=orgs,
            org=org,
            q=text,
            people=[(one, address(one.org_id, one.uid), masked(one.mobile)) for one in shown],
            more=f"/admin/people?{urlencode(more)}" if more else "",
        )

    async def show(self, request: Request, refusal: Refusal) -> Response:
        values = refusal.entered.get if refusal else _query(request)
        org, person = await self._person(values)
        now = self._desk.services.clock.now()
        cards = await self._storage.shelf(
            org.id, person.uid, Shelf.UPCOMING, now=now, after=None, size=COUNTED + 1
        )
        return self._desk.page(
            request,
            "admin/person.html",
            refusal,
            org=org,
            person=person,
            number=masked(person.mobile),
            upcoming=len(cards) if len(cards) <= COUNTED else f"{COUNTED}+",
            deliveries=f"/admin/deliveries?{urlencode({'org': org.id, 'uid': person.uid})}",
        )

    async def _sign_out(self, request: Request, session: Session, form: Form) -> str:
        org, person = await self._person(form.get)
        ended = await self._storage.end_sessions(org.id, person.uid)
        mark("person signed out", session, org_id=org.id, uid=person.uid, sessions=ended)
        return f"{address(org.id, person.uid)}&done=signed-out"

    async def _erase(self, request: Request, session: Session, form: Form) -> str:
        org, person = await self._person(form.get)
        if form.get("confirm").strip() != person.uid.strip():
            raise OperatorError(self._desk.words(request)(_MISTYPED))
        await people.erase(self._storage, org.id, person.uid)
        mark("person erased", session, org_id=org.id, uid=person.uid)
        return f"/admin/people?org={org.id}&done=erased"

    async def _person(self, value: Callable[[str], str]) -> tuple[Org, Person]:
        """Whom `org` and `uid` name. Raises HTTPException 404."""
        org_id, uid = identifier(value("org")), value("uid")
        org = await self._storage.org(org_id) if org_id else None
        person = await self._storage.person(org.id, uid) if org and uid == _uid(uid) else None
        if org is None or person is None:
            raise HTTPException(404)
        return org, person

    async def _search(self, org: Org, text: str, *, after_uid: str) -> list[Person]:
        words = pinyin.fold(text).split()[:MOST_WORDS]
        mobile = telephone.normalise(text) if text else None
        return await self._storage.search_people(
            org.id, words, mobile=mobile, after_uid=after_uid, size=SHOWN + 1
        )


def address(org_id: int, uid: str) -> str:
    """Of a person's page."""
    return f"/admin/people/one?{urlencode({'org': org_id, 'uid': uid})}"


def _uid(text: str) -> str:
    """Without what no database has in its texts."""
    return text.replace("\0", "")


def _query(request: Request) -> Callable[[str], str]:
    return lambda name: request.query_params.get(name, "")
