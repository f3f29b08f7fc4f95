"""Who looks at a page: a signed-in person, found by the session cookie; and what every page needs to know of them."""

from collections.abc import Callable
from functools import cached_property
from gettext import NullTranslations
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from huiyao.model import Org, Person, Session
from huiyao.pages import catalog
from huiyao.service import sessions
from huiyao.service.access import Access
from huiyao.service.caller import Caller, Services
from huiyao.texts import dates
from huiyao.texts.dates import Dates

# With https the name's prefix makes the browser refuse it from other hosts and paths (RFC 6265bis, 4.1.3).
COOKIE: Final = "huiyao"
SECURE_COOKIE: Final = "__Host-huiyao"
ADMIN_COOKIE: Final = "huiyao-admin"
SECURE_ADMIN_COOKIE: Final = "__Host-huiyao-admin"


class Visitor:
    """One person in one browser, for the time of one request."""

    def __init__(
        self, session: Session, secret: str, org: Org, person: Person | None, *, locale: str, now: int
    ) -> None:
        self.session = session
        self.secret = secret
        self.org = org
        self.person = person
        self.uid = session.uid
        self.name = person.name if person else session.uid
        self.locale = locale  # zh-CN or en
        self.timezone = (person.timezone if person else "") or org.timezone
        self.now = now

    @property
    def caller(self) -> Caller:
        return Caller(app_id=self.session.app_id, org=self.org, uid=self.uid)

    @property
    def may_organize(self) -> bool:
        """A meeting belongs to an app; without one people only answer."""
        return self.session.app_id is not None

    @cached_property
    def clock(self) -> dates.Clock:
        return dates.clock(self.timezone, now=self.now)

    @property
    def dates(self) -> Dates:
        return dates.ENGLISH if self.locale == catalog.ENGLISH else dates.CHINESE

    @property
    def words(self) -> NullTranslations:
        return catalog.translations(self.locale)

    @property
    def _(self) -> Callable[[str], str]:
        return self.words.gettext


async def find(request: Request, services: Services, access: Access) -> Visitor | None:
    """The signed-in person; None where nobody is, or the session's app may act here no longer."""
    secret = _cookie(request, SECURE_COOKIE, COOKIE)
    session = await sessions.find(services, secret) if secret else None
    if session is None or session.org_id == 0:
        return None
    if session.app_id is None:
        org = await services.storage.org(session.org_id)
    else:
        org = await access.granted(session.app_id, session.org_id)
    if org is None:
        return None
    person = await services.storage.person(org.id, session.uid)
    if person is None and org.closed:
        return None
    return Visitor(session, secret, org, person, locale=locale(request, person), now=services.clock.now())


async def find_operator(request: Request, services: Services) -> Session | None:
    secret = operator_secret(request)
    session = await sessions.find(services, secret) if secret else None
    return session if session is not None and session.org_id == 0 else None


def operator_secret(request: Request) -> str:
    return _cookie(request, SECURE_ADMIN_COOKIE, ADMIN_COOKIE)


def locale(request: Request, person: Person | None) -> str:
    """The person's own setting, then the browser's."""
    if person and person.locale:
        return catalog.ENGLISH if person.locale.lower().startswith("en") else catalog.CHINESE
    return catalog.preferred(request.headers.get("accept-language", ""))


def keep(response: Response, secret: str, *, seconds: int, secure: bool, operator: bool = False) -> None:
    """Give the browser the session's secret; out of reach for scripts and other sites' requests."""
    response.set_cookie(
        _name(secure=secure, operator=operator),
        secret,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict" if operator else "lax",
    )


def forget(response: Response, *, secure: bool, operator: bool = False) -> None:
    response.delete_cookie(
        _name(secure=secure, operator=operator), path="/", secure=secure, httponly=True, samesite="lax"
    )


def _name(*, secure: bool, operator: bool) -> str:
    if operator:
        return SECURE_ADMIN_COOKIE if secure else ADMIN_COOKIE
    return SECURE_COOKIE if secure else COOKIE


def _cookie(request: Request, *names: str) -> str:
    for name in names:
        if name in request.cookies:
            return request.cookies[name]
    return ""
