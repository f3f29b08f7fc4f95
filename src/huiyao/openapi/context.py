"""Where a call says for which organisation it is, who is asking, and what: headers, query and body."""

from huiyao import errors
from huiyao.openapi.call import Call, Style
from huiyao.openapi.request import Request
from huiyao.wire import body as bodies
from huiyao.wire import organisation, requests


def named_organisation(call: Call, request: Request) -> int | None:
    """The organisation the call names (contract section 2), or None where it names none.

    Raises NotAuthorised for what is of no known form, and whatever is wrong with the body if that is asked.
    """
    org_id: object = request.text(b"orgid")
    if org_id is not None:
        return _known(organisation.from_org_id(org_id))
    secret = request.text(b"orgsecret")
    if secret is not None:
        return _known(organisation.from_org_secret(secret))
    if call.body is None:
        return None
    org_id = request.content().get("orgId")
    if org_id is None or (call.style is Style.MEETING and org_id == 0):  # a number not set arrives as 0 there
        return None
    return _known(organisation.from_org_id(org_id))


def _known(org_id: int | None) -> int:
    if org_id is None:
        raise errors.NotAuthorised
    return org_id


def parse_parameters(call: Call, request: Request) -> str:
    """All parameters, into `request`; answers the requester's uid, whose absence is told last."""
    key = request.text(b"idempotency-key") if call.repeatable else None
    request.idempotency_key = (
        None if key is None else bodies.parse(requests.IDEMPOTENCY_KEY, key, path="Idempotency-Key")
    )
    if call.style is Style.WORKBENCH:
        assert call.body is not None  # it has its parameters nowhere else
        request.given = bodies.parse(call.body, request.content())
        uid: str = request.given.uid
        field = "requesterUid"
    else:
        field = "uid"
        uid = bodies.parse(requests.REQUESTER, request.text(b"uid") or "", path=field)
        if call.named:
            request.name = bodies.parse(requests.NAME, request.requester_name() or "", path="name")
        if call.query:
            request.meeting_id = bodies.parse(call.query, request.query())
        if call.body:
            request.given = bodies.parse(call.body, request.content())
    if not uid or uid.isspace():
        raise errors.RequesterMissing(field=field)
    return uid
