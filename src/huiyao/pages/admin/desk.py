"""What the operators' pages share: ids in addresses, moments, what was done or refused, and the line in the log."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from huiyao import telemetry
from huiyao.errors import OperatorError
from huiyao.model import Session
from huiyao.pages import forms, visitor
from huiyao.pages.catalog import N_
from huiyao.pages.forms import Form
from huiyao.pages.site import Site

HOME: Final = "/admin/"
LARGEST_ID: Final = 2**63 - 1
LONGEST_WORD: Final = 200  # of what is looked for; nothing that can be found is longer
SHOWN_DIGITS: Final = 4  # of a number, at its end

# What was done, by the word that the address of the next page carries.
DONE: Final[dict[str, str]] = {
    "changed": N_("The changes are saved; every server follows within seconds."),
    "disabled": N_("The app is disabled: within seconds its secret and tokens are refused everywhere."),
    "enabled": N_("The app is enabled again."),
    "signed-out": N_("The person is signed out everywhere."),
    "erased": N_("The person is erased."),
    "replayed": N_("Queued again; the receiver gets it with the same eventId."),
    "queued": N_("Queued again; what is not true any more is not sent."),
}


class Refusal(msgspec.Struct, frozen=True):
    """Why a form was refused, as one sentence, and what was entered; falsy where nothing was."""

    problem: str
    entered: Form

    def __bool__(self) -> bool:
        return bool(self.problem)


NOTHING: Final = Refusal("", Form([]))

Show = Callable[[Request, Refusal], Awaitable[Response]]
Act = Callable[[Request, Session, Form], Awaitable[str]]  # does it, and says where to go on


class Desk:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.services = site.services
        self.storage = site.services.storage

    def shows(self, path: str, show: Show) -> Route:
        async def page(request: Request, _: Session) -> Response:
            return await show(request, NOTHING)

        return Route(path, self.site.operators(page), methods=["GET"])

    def does(self, path: str, act: Act, *, show: Show) -> Route:
        """A form's address: it answers with where to go on, or where that was refused with `show`."""

        async def page(request: Request, session: Session) -> Response:
            form = await forms.read(request)
            try:
                target = await act(request, session, form)
            except OperatorError as error:
                response = await show(request, Refusal(str(error), form))
                response.status_code = 409
                return response
            return RedirectResponse(target, 303)

        return Route(path, self.site.operators(page), methods=["POST"])

    def page(self, request: Request, template: str, refusal: Refusal = NOTHING, /, **values: Any) -> Response:
        done = "" if refusal else DONE.get(request.query_params.get("done", ""), "")
        return self.site.page(
            request,
            template,
            None,
            done=self.words(request)(done),
            problem=refusal.problem,
            moment=moment,
            **values,
        )

    def words(self, request: Request) -> Callable[[str], str]:
        """From English into the operator's language; "" stays "" (it is a catalogue's own heading)."""
        gettext = self.site.words(visitor.locale(request, None))
        return lambda text: gettext(text) if text else ""


def path_id(request: Request, name: str) -> int:
    """Raises HTTPException 404 for what cannot be an id."""
    found = identifier(request.path_params[name])
    if found is None:
        raise HTTPException(404)
    return found


def identifier(text: str) -> int | None:
    """The id that somebody wrote; None for what cannot be one."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID))):
        return None
    number = int(text)
    return number if 0 < number <= LARGEST_ID else None


def sought(text: str) -> str:
    """What somebody looks for, without what no database has in its texts."""
    return "".join(filter(str.isprintable, text))[:LONGEST_WORD].strip()


def masked(number: str) -> str:
    """Of a number only its end."""
    return f"…{number[-SHOWN_DIGITS:]}" if number else ""


def moment(at: int) -> Markup:
    """In UTC; script of ours shows it on the reader's own clock."""
    when = datetime.fromtimestamp(at / 1000, UTC)
    return Markup('<time datetime="{}" data-moment>{}</time>').format(
        f"{when:%Y-%m-%dT%H:%M:%SZ}", f"{when:%Y-%m-%d %H:%M:%S}"
    )


def mark(event: str, session: Session, **ids: object) -> None:
    """One line in the log: what was done by which operator's session, and to what. Ids only."""
    telemetry.logger().info(event, operator=session.hash[:4].hex(), **ids)
