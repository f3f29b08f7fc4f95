"""What receivers get is signed and encrypted as contract section 7 says, in both styles, and the client reads it."""

import base64
import hashlib
import hmac
import json
import os
import time

import msgspec
import pytest

from huiyao.client import callbacks as client
from huiyao.client.errors import BadCallback
from huiyao.keys import Keys
from huiyao.model import App, Callback, CallbackStyle, Event
from huiyao.service.keyring import Keyring
from huiyao.wire.callbacks import Sealer, content, platform_body, standard_headers

KEYS = Keyring(Keys.from_text("k" * 32))
SECRET = "0123456789abcdef-and-more"
WHSEC = f"whsec_{base64.b64encode(b'a' * 32).decode()}"
OLD_WHSEC = f"whsec_{base64.b64encode(b'b' * 32).decode()}"
NOW = 1_700_000_000_000


def event(**facts: object) -> Event:
    known = {
        "org_id": 85161,
        "id": 4711,
        "app_id": 7,
        "meeting_id": 12,
        "type": 103,
        "sequence": 2,
        "uid": "u1",
        "msg_status": 2,
        "reason": "",
        "at": NOW,
        "due_at": NOW,
        "give_up_at": NOW,
    }
    return Event(**(known | facts))  # type: ignore[arg-type]


def app(style: str, secret: str, *, old: str | None = None, old_until: int | None = None) -> App:
    callback = Callback(
        style=style,
        secret=KEYS.seal(secret, app_id=7),
        old_secret=KEYS.seal(old, app_id=7) if old else None,
        old_until=old_until,
    )
    return App(id=7, name="app", secret=KEYS.seal(SECRET, app_id=7), callback=callback)


def test_the_contracts_check_value_comes_out() -> None:
    body = platform_body(
        '{"orgIds":["84000","周📅"]}'.encode(),
        token="apptoken-xyz",
        app_secret="0123456789abcdef",
        nonce="n-1",
        timestamp=1495000000,
        event_type=101,
    )
    found = json.loads(body)
    assert found["encryptData"].encode("latin-1").hex() == (
        "bcee06007f7273bda4d7b1b6284fb5b4fac6236b2b6214613b42b5a8e4b3dadb"
    )
    assert found["signature"] == "f96e7901bb7e9c14dc8c89496cb1fd74d0fdde97"
    assert set(found) == {"signature", "nonce", "timestamp", "encryptData", "eventType"}
    assert (found["nonce"], found["timestamp"], found["eventType"]) == ("n-1", 1495000000, 101)


def test_an_app_secret_that_is_short_is_filled_up_with_zeros() -> None:
    body = platform_body(b"{}", token="t", app_secret="short", nonce="n", timestamp=1, event_type=101)
    assert client.decrypt(body, token="t", app_secret="short") == b"{}"


@pytest.mark.parametrize(
    ("facts", "present"),
    [
        ({"type": 101, "uid": "", "msg_status": None}, set()),
        ({"type": 102, "msg_status": 1}, {"uid", "msgStatus"}),
        ({"type": 105, "msg_status": 0}, {"uid", "msgStatus"}),
        ({"type": 107, "uid": "", "msg_status": None}, set()),
        ({"type": 108, "msg_status": None, "reason": "unknown"}, {"uid", "reason"}),
    ],
)
def test_an_event_names_ids_and_states_and_nothing_that_does_not_belong_to_its_type(
    facts: dict[str, object], present: set[str]
) -> None:
    found = json.loads(content(event(**facts)))
    always = {"eventId", "eventType", "orgId", "meetingInviteId", "sequence", "time"}
    assert set(found) == always | present
    assert (found["eventId"], found["eventType"], found["time"]) == (4711, facts["type"], NOW)


async def test_the_client_opens_what_the_platforms_style_seals() -> None:
    request = await Sealer(KEYS)(event(), app(CallbackStyle.PLATFORM, "token"), now=NOW, older=False)
    found = client.verify(request.body, token="token", app_secret=SECRET)
    assert (found.id, found.kind, found.uid, found.msg_status) == (4711, client.ACCEPTED, "u1", 2)
    with pytest.raises(BadCallback):
        client.verify(request.body, token="another", app_secret=SECRET)


async def test_the_token_before_a_rotation_signs_where_it_is_asked_for_and_still_good() -> None:
    rotated = app(CallbackStyle.PLATFORM, "new", old="old", old_until=NOW + 1)
    for older, token in ((False, "new"), (True, "old")):
        request = await Sealer(KEYS)(event(), rotated, now=NOW, older=older)
        client.verify(request.body, token=token, app_secret=SECRET)
    request = await Sealer(KEYS)(event(), rotated, now=NOW + 1, older=True)
    client.verify(request.body, token="new", app_secret=SECRET)


async def test_both_secrets_sign_a_standard_webhook_until_the_older_one_is_over() -> None:
    rotated = app(CallbackStyle.STANDARD, WHSEC, old=OLD_WHSEC, old_until=int(time.time() * 1000) + 60_000)
    now = time.time_ns() // 1_000_000
    request = await Sealer(KEYS)(event(), rotated, now=now, older=False)
    for secret in (WHSEC, OLD_WHSEC):
        found = client.verify_standard(request.headers, request.body, secret=secret)
        assert str(found.id) == request.headers["webhook-id"]
    later = await Sealer(KEYS)(event(), rotated, now=now + 120_000, older=False)
    assert " " not in later.headers["webhook-signature"]


def test_a_standard_webhook_is_signed_as_its_specification_says() -> None:
    headers = standard_headers(b'{"a":1}', "msg_1", 1614265330, secrets=(WHSEC,))
    signed = hmac.new(b"a" * 32, b'msg_1.1614265330.{"a":1}', hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


async def test_the_largest_event_is_far_below_20_kb() -> None:
    largest = event(uid="\U0001f4c5" * 64, reason="x" * 200, type=108, org_id=2**63 - 1, msg_status=None)
    for style, secret in ((CallbackStyle.PLATFORM, "token"), (CallbackStyle.STANDARD, WHSEC)):
        body = (await Sealer(KEYS)(largest, app(style, secret), now=NOW, older=False)).body
        assert len(body) < 10_000


def test_every_byte_a_cipher_can_give_survives_the_json_string() -> None:
    """Control characters are escaped, those above 127 are two bytes; a receiver sees one character each."""
    for _ in range(50):
        plain = os.urandom(200).hex().encode()
        body = platform_body(plain, token="t", app_secret=SECRET, nonce="n", timestamp=1, event_type=101)
        assert client.decrypt(body, token="t", app_secret=SECRET) == plain


async def test_a_secret_sealed_for_another_app_signs_nothing() -> None:
    stolen = msgspec.structs.replace(app(CallbackStyle.PLATFORM, "token"), id=8)
    with pytest.raises(Exception, match="does not open"):
        await Sealer(KEYS)(event(), stolen, now=NOW, older=False)
