"""Callbacks are believed only when they are genuine, in both forms (contract section 7)."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given
from hypothesis import strategies as st

from huiyao.client import MsgStatus, callbacks
from huiyao.client.callbacks import verify, verify_standard
from huiyao.client.errors import BadCallback
from huiyao.model import Event as ServerEvent
from huiyao.model import EventType
from huiyao.wire import callbacks as server
from tests.api.forms import ANY_JSON

APP_SECRET = "0123456789abcdef"
TOKEN = "apptoken-xyz"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CIPHER = bytes.fromhex("bcee06007f7273bda4d7b1b6284fb5b4fac6236b2b6214613b42b5a8e4b3dadb")
CHECK = {
    "signature": "f96e7901bb7e9c14dc8c89496cb1fd74d0fdde97",
    "nonce": "n-1",
    "timestamp": 1495000000,
    "encryptData": CIPHER.decode("latin-1"),
    "eventType": 1,
}
EVENT = {
    "eventId": 8812,
    "eventType": 103,
    "orgId": 85161,
    "meetingInviteId": 111234,
    "sequence": 2,
    "uid": "u2",
    "msgStatus": 2,
    "time": 1_800_000_000_123,
}


def sealed(event: Any, *, app_secret: str = APP_SECRET, token: str = TOKEN) -> bytes:
    """A callback as the platform makes it."""
    padder = PKCS7(128).padder()
    padded = padder.update(json.dumps(event).encode()) + padder.finalize()
    cipher = Cipher(AES(app_secret.encode()[:16].ljust(16, b"\0")), ECB()).encryptor()
    text = (cipher.update(padded) + cipher.finalize()).decode("latin-1")
    signed = f"encrypt={text}&nonce=n&timestamp=1495000000&token={token}".encode()
    whole = {"nonce": "n", "timestamp": 1495000000, "encryptData": text, "eventType": 103}
    return json.dumps(whole | {"signature": hashlib.sha1(signed).hexdigest()}).encode()


def hooked(content: bytes, *, age_seconds: int = 0, secret: str = SECRET, more: str = "") -> dict[str, str]:
    """The headers of a Standard Webhook."""
    at = int(time.time()) - age_seconds
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.digest(key, b"e-1.%d.%b" % (at, content), "sha256")).decode()
    return {"webhook-id": "e-1", "Webhook-Timestamp": str(at), "webhook-signature": f"{more}v1,{mac}"}


EVERY_TYPE = {value: name for name, value in vars(callbacks).items() if type(value) is int and name[0] != "_"}


@pytest.mark.parametrize("kind", EventType)
def test_what_the_server_sends_is_what_is_read_in_both_forms(kind: EventType) -> None:
    sent = ServerEvent(
        org_id=85161,
        id=8812,
        app_id=7,
        meeting_id=111234,
        type=kind,
        sequence=2,
        uid="" if kind in {EventType.PUSHED, EventType.UPDATED, EventType.CANCELLED} else "u2",
        msg_status=2 if kind == EventType.ACCEPTED else None,
        reason="no_number",
        at=1_800_000_000_123,
        due_at=0,
        give_up_at=0,
    )
    plain = server.content(sent)
    body = server.platform_body(
        plain, token=TOKEN, app_secret=APP_SECRET, nonce="n", timestamp=1, event_type=kind
    )
    event = verify(body, token=TOKEN, app_secret=APP_SECRET)
    assert (event.id, event.kind, event.meeting_id, event.uid or "") == (8812, kind, 111234, sent.uid)
    assert event.reason == ("no_number" if kind == EventType.FAILED else None)
    old = "whsec_" + base64.b64encode(b"the secret before this one").decode()
    headers = server.standard_headers(plain, "8812", int(time.time()), secrets=(old, SECRET))
    assert verify_standard(headers, plain, secret=SECRET) == event
    assert verify_standard(headers, plain, secret=old) == event
    assert kind in EVERY_TYPE


def test_the_check_value_of_the_contract_opens() -> None:
    plain = callbacks.decrypt(json.dumps(CHECK), token=TOKEN, app_secret=APP_SECRET)
    assert plain == '{"orgIds":["84000","周📅"]}'.encode()


@pytest.mark.parametrize("ascii_only", [True, False])
def test_either_spelling_of_the_json_opens(ascii_only: bool) -> None:
    body = json.dumps(CHECK, ensure_ascii=ascii_only).encode()
    assert callbacks.decrypt(body, token=TOKEN, app_secret=APP_SECRET).startswith(b'{"orgIds"')


@pytest.mark.parametrize("app_secret", [APP_SECRET, "short", "longer than sixteen characters"])
def test_an_event_is_what_was_sealed(app_secret: str) -> None:
    event = verify(sealed(EVENT, app_secret=app_secret), token=TOKEN, app_secret=app_secret)
    assert (event.id, event.kind, event.org_id, event.meeting_id) == (
        8812,
        callbacks.ACCEPTED,
        85161,
        111234,
    )
    assert (event.uid, event.msg_status, event.sequence) == ("u2", MsgStatus.ACCEPTED, 2)
    assert event.at == datetime(2027, 1, 15, 8, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "f" * 40},
        {"signature": ""},
        {"signature": "签名"},
        {"nonce": "n-2"},
        {"timestamp": 1495000001},
        {"encryptData": CIPHER.decode("latin-1")[:16]},
        {"encryptData": None},
        {"nonce": 1},
    ],
)
def test_a_callback_that_was_changed_is_not_believed(change: dict[str, Any]) -> None:
    with pytest.raises(BadCallback):
        callbacks.decrypt(json.dumps(CHECK | change), token=TOKEN, app_secret=APP_SECRET)


def test_a_callback_of_another_app_is_not_believed() -> None:
    with pytest.raises(BadCallback, match="signature"):
        verify(sealed(EVENT), token="another", app_secret=APP_SECRET)
    with pytest.raises(BadCallback):
        verify(sealed(EVENT), token=TOKEN, app_secret="another-secret-0")


def test_an_event_type_outside_that_was_not_signed_counts_for_nothing() -> None:
    body = json.loads(sealed(EVENT)) | {"eventType": 107}
    assert verify(json.dumps(body), token=TOKEN, app_secret=APP_SECRET).kind == callbacks.ACCEPTED


@given(st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_garbage_raises_one_exception_whatever_it_is(body: bytes) -> None:
    with pytest.raises(BadCallback):
        verify(body, token=TOKEN, app_secret=APP_SECRET)
    with pytest.raises(BadCallback):
        verify_standard({"webhook-id": "1"}, body, secret=SECRET)


@given(ANY_JSON)
def test_a_genuine_signature_around_garbage_raises_the_same(event: Any) -> None:
    with pytest.raises(BadCallback):
        verify(sealed(event), token=TOKEN, app_secret=APP_SECRET)
    content = json.dumps(event).encode()
    with pytest.raises(BadCallback):
        verify_standard(hooked(content), content, secret=SECRET)


def test_json_nested_without_end_raises_the_same() -> None:
    with pytest.raises(BadCallback):
        verify(b'{"x":' + b"[" * 100_000, token=TOKEN, app_secret=APP_SECRET)


def test_the_check_value_of_the_standard_webhooks_libraries_is_genuine() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = '{"test": 2432232314}'
    with pytest.raises(BadCallback, match="older"):
        verify_standard(headers, body, secret=SECRET)
    with pytest.raises(BadCallback, match="form"):  # genuine, but none of Huiyao's events
        verify_standard(headers, body, secret=SECRET, tolerance=10**11)


def test_a_standard_webhook_is_read_whatever_the_case_of_its_headers() -> None:
    content = json.dumps(EVENT).encode()
    for headers in (hooked(content), {name.upper(): value for name, value in hooked(content).items()}):
        assert verify_standard(headers, content, secret=SECRET).meeting_id == 111234


def test_one_genuine_signature_among_several_is_enough() -> None:
    content = json.dumps(EVENT).encode()
    headers = hooked(content, more="v1a,xyz v1,bm9wZQ== v1,签 ")
    assert verify_standard(headers, content, secret=SECRET).id == 8812


@pytest.mark.parametrize("age_seconds", [301, -302])
def test_a_standard_webhook_of_another_time_is_not_believed(age_seconds: int) -> None:
    content = json.dumps(EVENT).encode()
    with pytest.raises(BadCallback, match="older"):
        verify_standard(hooked(content, age_seconds=age_seconds), content, secret=SECRET)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "e-2"},
        {"Webhook-Timestamp": "1"},
        {"Webhook-Timestamp": "9" * 400},
        {"Webhook-Timestamp": "9" * 5000},
        {"Webhook-Timestamp": "nan"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": ""},
    ],
)
def test_a_standard_webhook_that_was_changed_is_not_believed(change: dict[str, str]) -> None:
    content = json.dumps(EVENT).encode()
    with pytest.raises(BadCallback):
        verify_standard(hooked(content) | change, content, secret=SECRET)
    with pytest.raises(BadCallback):
        verify_standard(hooked(content), content + b" ", secret=SECRET)


@pytest.mark.parametrize("secret", ["whsec_", "", "whsec_***"])
def test_a_secret_that_is_none_is_the_callers_mistake(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify_standard({}, b"{}", secret=secret)
    with pytest.raises(ValueError, match="secret"):
        callbacks.decrypt(b"{}", token="", app_secret=APP_SECRET)
