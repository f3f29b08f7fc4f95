"""token/get: the call that has no token yet (contract section 2)."""

import secrets
import string
from typing import Final

from huiyao import errors
from huiyao.openapi.call import Call, Style
from huiyao.openapi.request import Request
from huiyao.wire import answers, body, requests

TICKET_CHARACTERS: Final = 32
_LETTERS: Final = string.ascii_letters + string.digits


def credentials(request: Request) -> tuple[int, str]:
    """appId and appSecret, from the query or else from headers. Raises BadCredentials for what cannot be any."""
    query = request.query()
    app_id = query.get("appId") or request.text(b"appid")
    app_secret = query.get("appSecret") or request.text(b"appsecret")
    try:
        number = body.parse(requests.APP_ID, app_id or "")
    except errors.BadParameter:
        raise errors.BadCredentials from None
    if not app_secret:
        raise errors.BadCredentials
    return number, app_secret


async def get(request: Request) -> bytes:
    flags = request.query().get("flags")
    force = flags is None or body.parse(requests.FLAGS, flags, path="flags") == 1
    token, generation = await request.access.token(request.app, force=force)
    ticket = "".join(secrets.choice(_LETTERS) for _ in range(TICKET_CHARACTERS))
    return answers.token(
        token, expires_at=generation.expires_at, now=request.services.clock.now(), ticket=ticket
    )


CALLS: Final = (
    Call(
        name="token/get",
        method="GET",
        style=Style.TOKEN,
        handle=get,
        summary="Get an access token",
        description=(
            "`appId` and `appSecret` come as query parameters or as request headers. A forced refresh supersedes "
            "the token before it, which stays good for a grace period. Never answers 4001 to 4005."
        ),
        answer={
            "accessToken": "7_1_1800007200000_" + "5f3a0c7e" * 8,
            "expiresIn": 7200,
            "expireTime": 1_800_007_200_000,
            "jsapiTicket": "kR3vQx0cW7nA5mZt9bLsYd2eHfGj1uPo",
        },
        answer_schema=answers.Token,
        refusals=(errors.BadCredentials, errors.AddressNotListed, errors.TooOften, errors.BadParameter),
    ),
)
