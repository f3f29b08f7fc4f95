"""The composition root: settings in, a wired ASGI application with its dispatcher out."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_network
from typing import Any, Final

import msgspec

from huiyao import errors, gateway, link, telemetry
from huiyao.channels.opening import open_sms
from huiyao.dispatch.courier import Courier
from huiyao.dispatch.dispatcher import Dispatcher
from huiyao.dispatch.sender import Sender
from huiyao.gateway import Gateway
from huiyao.link import Link
from huiyao.openapi.application import OpenApi
from huiyao.pages import explorer
from huiyao.pages.application import PATHS, Pages
from huiyao.pages.live import Live
from huiyao.pages.site import Site
from huiyao.rules.deliver import Sight
from huiyao.service import installation
from huiyao.service.access import Access
from huiyao.service.caller import Clock, Services
from huiyao.service.keyring import Keyring
from huiyao.settings import Settings
from huiyao.storage import migrate
from huiyao.storage.contract import Storage
from huiyao.wire import envelope
from huiyao.wire.callbacks import Sealer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

OPENAPI: Final = "/openapi/"
SMS: Final = "/sms/"
OLDEST_BEAT_MS: Final = 15_000  # of a dispatcher that counts as alive
PING_SECONDS: Final = 3.0
STOP_SECONDS: Final = 15.0  # for the dispatcher's last transaction and the texts under way
_JSON: Final = b"application/json;charset=UTF-8"


async def build(
    settings: Settings,
    *,
    dispatch: bool = True,
    calls: bool = True,
    clock: Clock | None = None,
    sandbox_app: int | None = None,
) -> "Application":
    """Open the database and wire everything to it. Raises OperatorError.

    Without `calls` it answers health and metrics only. With `sandbox_app` anybody may sign in as anybody, in that
    app's name. On an embedded database the caller holds its `installation.Lock`.
    """
    clock = clock or Clock()
    storage = await installation.open_database(settings, locked=True)
    try:
        keyring = await installation.open_keys(storage, settings)
        dispatching = dispatcher(storage, keyring, settings, clock) if dispatch else None
    except BaseException:
        await storage.close()
        raise
    services = Services(storage, clock, session_hours=settings.session_hours)
    application = Application(services, dispatching, keyring)
    if calls:
        access = Access(storage, keyring, clock, settings)
        application.openapi = OpenApi(services, access, settings)
        application.gateway = Gateway(services, keyring)
        application.pages = Pages(
            Site(
                services,
                access,
                settings,
                application.live,
                keyring=keyring,
                sandbox_app=sandbox_app,
            )
        )
    return application


def dispatcher(
    storage: Storage, keyring: Keyring, settings: Settings, clock: Clock | None = None
) -> Dispatcher:
    """The dispatcher with a sender for the SMS gateway and a courier for apps.

    Raises OperatorError where the gateway is set wrongly.
    """
    clock = clock or Clock()
    public = settings.public_url
    sender = Sender(
        storage,
        open_sms(
            settings.sms_url, receipt_url=gateway.receipt_url(public, keyring, clock) if public else None
        ),
        daily_limit=settings.sms_daily_limit,
        wait_seconds=settings.sms_wait_seconds,
        link=personal_link(public, keyring, clock) if public and settings.sms_link else None,
        clock=clock,
    )
    courier = Courier(
        storage,
        Sealer(keyring),
        allowed=[ip_network(one, strict=False) for one in settings.callback_private],
        clock=clock,
    )
    return Dispatcher(storage, clock, senders=[sender], courier=courier, delivery_days=settings.delivery_days)


def personal_link(public_url: str, keyring: Keyring, clock: Clock) -> Callable[[Sight], str]:
    """The address at which the person of a delivery opens their invitation."""

    def address(sight: Sight) -> str:
        delivery = sight.delivery
        made = Link.make(
            keyring.signing(clock.now()).link_key,
            org_id=delivery.org_id,
            meeting_id=delivery.meeting_id,
            uid=delivery.uid,
            link_id=sight.link_id,
        )
        return f"{public_url.rstrip('/')}{link.PATH}{made.text()}"

    return address


class Application:
    """ASGI: calls, pages, gateways' reports, health, metrics; its lifespan is the dispatcher's and the database's."""

    def __init__(self, services: Services, dispatcher: Dispatcher | None, keyring: Keyring) -> None:
        self.services = services
        self.keyring = keyring
        self.live = Live(services)
        self.openapi: OpenApi | None = None
        self.gateway: Gateway | None = None
        self.pages: Pages | None = None
        self._storage: Storage = services.storage
        self._dispatcher = dispatcher
        self._dispatching: asyncio.Task[None] | None = None
        self._living: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self.pages and scope["path"] in explorer.PATHS:
            await self.pages(scope, receive, send)
        elif self.openapi and scope["path"].startswith(OPENAPI):
            await self.openapi(scope, receive, send)
        elif self.gateway and scope["path"].startswith(SMS):
            await self.gateway(scope, receive, send)
        elif self.pages and (scope["path"] == "/" or scope["path"].startswith(PATHS)):
            await self.pages(scope, receive, send)
        else:
            await self._answer(scope, send)

    def start(self) -> None:
        self._living = asyncio.create_task(self.live.run())
        if self._dispatcher:
            self._dispatching = asyncio.create_task(self._dispatcher.run())

    def end_streams(self) -> None:
        """What would go on for ever ends now, so that the process can."""
        self.live.stop()

    async def close(self) -> None:
        """Let the dispatcher end its transaction, then commit what was accepted and close the database."""
        self.live.stop()
        if self._living:
            await asyncio.wait([self._living], timeout=PING_SECONDS)
            self._living.cancel()
        if self._dispatcher and self._dispatching:
            self._dispatcher.stop()
            await asyncio.wait([self._dispatching], timeout=STOP_SECONDS)
            self._dispatching.cancel()
        await self._storage.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, send: Send) -> None:
        path = scope["path"]
        if path == "/healthz":
            await _send(send, 200, b'{"alive":true}')
        elif path == "/readyz":
            problems = await self._problems()
            answer = msgspec.json.encode({"ready": not problems, "problems": problems})
            await _send(send, 503 if problems else 200, answer)
        elif path == "/metrics":
            await _send(send, 200, telemetry.metrics(), content_type=telemetry.METRICS_TYPE)
        else:
            language = dict(scope["headers"]).get(b"accept-language", b"")
            message = errors.UnknownPath().message(english=language[:2].lower() == b"en")
            await _send(send, 404, envelope.failure(errors.UnknownPath.code, message, sdk=False))

    async def _problems(self) -> list[str]:
        """What keeps this node from working, one sentence each; names nothing of any organisation."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._storage.ping()
                migrate.check(await self._storage.schema_version())
                beat = await self._storage.last_beat()
        except errors.OperatorError as error:
            return [str(error)]
        except (errors.HuiyaoError, TimeoutError):
            return ["The database does not answer."]
        if beat is None or self.services.clock.now() - beat > OLDEST_BEAT_MS:
            return ["No dispatcher is alive: nobody is invited or reminded."]
        return []


async def _send(send: Send, status: int, answer: bytes, *, content_type: bytes = _JSON) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(answer)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
