"""Deliveries: what became of each text and why, and sending again what failed or was not sent."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao import link
from huiyao.errors import OperatorError
from huiyao.model import Delivery, DeliveryState, Org, Session
from huiyao.pages import wording
from huiyao.pages.admin import people
from huiyao.pages.admin.desk import Desk, Refusal, identifier, mark, masked, path_id, sought
from huiyao.pages.catalog import N_
from huiyao.pages.forms import Form
from huiyao.service import operate
from huiyao.storage.contract import Wanted
from huiyao.texts.sms import parts

SHOWN: Final = 50
AGAIN: Final = (DeliveryState.FAILED, DeliveryState.SKIPPED)  # what can be sent again
CHANNELS: Final = ("sms",)
FILTERS: Final = ("org", "state", "kind", "channel", "meeting", "uid")

# A personal link in a text is as good as the person's own answer: operators see that there is one.
_LINK: Final = re.compile(rf"({re.escape(link.PATH)})[A-Za-z0-9_-]{{20,{link.LONGEST}}}")
_NOTHING_CHOSEN: Final = N_("Nothing that can be sent again was chosen.")


class Line(msgspec.Struct, frozen=True):
    """A delivery as its page and the list show it."""

    delivery: Delivery
    state: str
    tone: str
    kind: str
    reason: str
    number: str
    address: str  # of its page
    person: str  # of the person's page
    again: bool

    @property
    def at(self) -> int:
        """When the last thing became of it."""
        return self.delivery.ended_at or self.delivery.sent_at or self.delivery.created_at

    @property
    def key(self) -> str:
        return f"{self.delivery.org_id}.{self.delivery.id}"


class Deliveries:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._storage = desk.storage

    def routes(self) -> list[Route]:
        one = "/admin/deliveries/{org}/{delivery}"
        return [
            self._desk.shows("/admin/deliveries", self.show_all),
            self._desk.does("/admin/deliveries/retry", self._retry_shown, show=self.show_all),
            self._desk.shows(one, self.show),
            self._desk.does(f"{one}/retry", self._retry, show=self.show),
        ]

    async def show_all(self, request: Request, refusal: Refusal) -> Response:
        chosen = _chosen(refusal.entered.get if refusal else request.query_params.get)
        wanted, impossible = _wanted(chosen, SHOWN + 1)
        orgs = await self._storage.orgs()
        found = [] if impossible else await self._find(wanted, orgs)
        lines = [line(self._desk, one, request) for one in found[:SHOWN]]
        _ = self._desk.words(request)
        more = ""
        if len(found) > SHOWN:
            asked = {name: value for name, value in chosen.items() if value and name != "below"}
            more = f"/admin/deliveries?{urlencode(asked | {'below': lines[-1].delivery.id})}"
        return self._desk.page(
            request,
            "admin/deliveries.html",
            refusal,
            lines=lines,
            again=[one for one in lines if one.again],
            chosen=chosen,
            filtered=any(chosen[name] for name in FILTERS),
            more=more,
            orgs=orgs,
            states={state: _(text) for state, text in wording.STATES.items()},
            kinds={kind: _(text) for kind, text in wording.KINDS.items()},
            channels=CHANNELS,
        )

    async def show(self, request: Request, refusal: Refusal) -> Response:
        found = await self._delivery(request)
        shown = line(self._desk, found, request)
        return self._desk.page(
            request,
            "admin/delivery.html",
            refusal,
            line=shown,
            one=found,
            text=found.text if _sandbox(self._desk) else _LINK.sub(r"\1…", found.text),
            parts=parts(found.text) if found.text else 0,
            org=await self._storage.org(found.org_id),
            person=await self._storage.person(found.org_id, found.uid),
        )

    async def _find(self, wanted: Wanted, orgs: Sequence[Org]) -> Sequence[Delivery]:
        """Without an organisation of each by its own key: over all the database would sort every delivery there is."""
        if wanted.org_id is not None:
            return await self._storage.deliveries(wanted)
        found = [
            one
            for org in orgs
            for one in await self._storage.deliveries(msgspec.structs.replace(wanted, org_id=org.id))
        ]
        return sorted(found, key=lambda one: one.id, reverse=True)[: wanted.limit]

    async def _retry(self, request: Request, session: Session, form: Form) -> str:
        found = await self._delivery(request)
        await self._again(session, found.org_id, [found.id])
        return f"/admin/deliveries/{found.org_id}/{found.id}?done=queued"

    async def _retry_shown(self, request: Request, session: Session, form: Form) -> str:
        """Those that the list showed; of each organisation all, or none where one cannot be sent again any more."""
        by_org: dict[int, list[int]] = {}
        for key in form.all("delivery")[:SHOWN]:
            org_id, delivery_id = map(identifier, key.partition(".")[::2])
            if org_id is None or delivery_id is None:
                raise HTTPException(400)
            by_org.setdefault(org_id, []).append(delivery_id)
        if not by_org:
            raise OperatorError(self._desk.words(request)(_NOTHING_CHOSEN))
        for org_id, delivery_ids in by_org.items():
            await self._again(session, org_id, delivery_ids)
        asked = {name: value for name, value in _chosen(form.get).items() if value}
        return f"/admin/deliveries?{urlencode(asked | {'done': 'queued'})}"

    async def _again(self, session: Session, org_id: int, delivery_ids: list[int]) -> None:
        now = self._desk.services.clock.now()
        await operate.retry_deliveries(self._storage, org_id, delivery_ids, now=now)
        mark("deliveries queued again", session, org_id=org_id, delivery_ids=delivery_ids)

    async def _delivery(self, request: Request) -> Delivery:
        found = await self._storage.delivery(path_id(request, "org"), path_id(request, "delivery"))
        if found is None:
            raise HTTPException(404)
        return found


def line(desk: Desk, one: Delivery, request: Request) -> Line:
    """The delivery in the operator's words; of its number only the end, but in the sandbox."""
    _ = desk.words(request)
    return Line(
        delivery=one,
        state=_(wording.STATES[one.state]),
        tone=wording.TONES[one.state],
        kind=_(wording.KINDS[one.kind]),
        reason=wording.reason(one.reason, _),
        number=one.address if _sandbox(desk) else masked(one.address),
        address=f"/admin/deliveries/{one.org_id}/{one.id}",
        person=people.address(one.org_id, one.uid),
        again=one.state in AGAIN,
    )


def _sandbox(desk: Desk) -> bool:
    return desk.site.sandbox_app is not None


def _chosen(value: Callable[[str, str], str]) -> dict[str, str]:
    """The filters as they were entered, and behind which delivery the list begins."""
    return {name: sought(value(name, "")) for name in (*FILTERS, "below")}


def _wanted(chosen: Mapping[str, str], limit: int) -> tuple[Wanted, bool]:
    """The question to the database; and whether nothing can be found, since an id is none."""
    ids: dict[str, Any] = {
        name: identifier(chosen[name]) for name in ("org", "meeting", "below") if chosen[name]
    }
    wanted = Wanted(
        org_id=ids.get("org"),
        meeting_id=ids.get("meeting"),
        below=ids.get("below"),
        state=chosen["state"] or None,
        kind=chosen["kind"] or None,
        channel=chosen["channel"] or None,
        uid=chosen["uid"] or None,
        limit=limit,
    )
    return wanted, None in ids.values()
