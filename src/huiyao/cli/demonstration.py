"""The sandbox: a database of its own with an organisation, people, an app and meetings that remind soon."""

import ipaddress
import os
import secrets
import time
from typing import Final

import msgspec

from huiyao import app, settings
from huiyao.cli import running
from huiyao.errors import OperatorError
from huiyao.model import Org, Person, RemindType
from huiyao.pages import outbox
from huiyao.rules.commands import Create, Detail, Invitee
from huiyao.service import installation, meetings, operate
from huiyao.service.caller import Caller, Services
from huiyao.storage.contract import Storage

DATABASE: Final = "sqlite:///huiyao-demo.db"
ORG: Final = Org(id=85161, name="示例公司")
APP_ID: Final = 10001
# uid, name, mobile, locale
PEOPLE: Final = (
    ("u1001", "王芳", "+8613800138001", ""),
    ("u1002", "李强", "+8613800138002", ""),
    ("u1003", "张敏", "+8613800138003", "en"),
    ("u1004", "刘洋", "", ""),
)
MINUTE_MS: Final = 60_000
# content, address, minutes until it begins, minutes before that to remind, and how
MEETINGS: Final = (
    ("晨会", "三楼会议室", 16, 15, RemindType.SMS),
    ("季度预算", "五楼会议室", 32, 30, RemindType.IN_APP),
    ("客户拜访", "线上", 1440, 60, RemindType.SMS),
)
AGAIN_AFTER_MS: Final = 30 * MINUTE_MS  # a start later than this makes the meetings anew

GUIDE: Final = """\
Huiyao's sandbox is at {address}
  workbench  {address}/workbench/ (choose who you are)
  operators  {address}/admin/ (sign in with: huiyao admin link --database sqlite:///{file} --port {port})
  explorer   {address}/openapi/docs (every call, to be tried out)
  database   {file}
  appId      {app_id}
  appSecret  {app_secret}

Paste these into another terminal:

TOKEN=$(curl -s '{address}/openapi/token/get?appId={app_id}&appSecret={app_secret}' | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')

MEETING=$(curl -s "{address}/openapi/workbench/meetinginvite/create?accessToken=$TOKEN" -d '{{"requesterUid":"u1001","requesterName":"王芳","detail":{{"createTime":{now},"content":"项目评审","address":"二楼会议室","beginTime":{begin},"endTime":{end},"remindMin":15,"remindType":1,"members":[{{"uid":"u1002","name":"李强"}},{{"uid":"u1003","name":"张敏"}}]}}}}' | sed 's/.*"meetingInviteId":\\([0-9]*\\).*/\\1/'); echo "$MEETING"

curl -s "{address}/openapi/workbench/meetinginvite/detail?accessToken=$TOKEN" -d '{{"requesterUid":"u1001","meetingInviteId":'"$MEETING"'}}'; echo

curl -s "{address}/openapi/workbench/meetinginvite/respond?accessToken=$TOKEN" -d '{{"requesterUid":"u1002","meetingInviteId":'"$MEETING"',"msgStatus":2}}'; echo

curl -s "{address}/openapi/workbench/meetinginvite/inbox?accessToken=$TOKEN" -d '{{"requesterUid":"u1003"}}'; echo

The first reminders reach these inboxes in one and two minutes. Every call: {address}/openapi/docs
Texts are sent nowhere and shown here: {address}{outbox}
Ctrl+C stops it; started again, it goes on with the same database.
"""  # noqa: E501 - lines to be pasted are not broken


def demo(*, host: str | None, port: int | None, allow_remote: bool) -> None:
    """Until SIGTERM or SIGINT. Raises OperatorError."""
    overrides: dict[str, object] = {"database_url": DATABASE, "host": host, "port": port, "workers": 1}
    overrides["sms_url"] = "log:"  # whatever is set for another installation: a sandbox texts nobody
    if f"{settings.PREFIX}LOG_LEVEL" not in os.environ:
        overrides["log_level"] = "warning"
    found = settings.load(overrides, os.environ)
    if not found.public_url:  # the links in the texts lead to this very server
        found = msgspec.structs.replace(found, public_url=found.own_address)
    if not allow_remote and not _is_own(found.host):
        raise OperatorError(
            f"The sandbox's secret is no secret: {found.host} lets other machines in; add --allow-remote to do that."
        )

    async def ready(application: app.Application) -> None:
        secret = await _furnish(application.services, found)
        print(_guide(found, secret), flush=True)

    running.serve(found, dispatch=True, ready=ready, sandbox_app=APP_ID)


async def _furnish(services: Services, found: settings.Settings) -> str:
    """Everything the sandbox needs, as far as it is not there yet; answers the app's secret."""
    storage = services.storage
    if await storage.org(ORG.id) is None:
        await operate.add_org(storage, ORG)
        await storage.import_people(
            [
                Person(org_id=ORG.id, uid=uid, name=name, mobile=mobile, locale=locale)
                for uid, name, mobile, locale in PEOPLE
            ]
        )
    secret = await _secret(storage, found)
    for number, (content, address, begins, remind_min, remind_type) in enumerate(MEETINGS):
        uid, name, *_ = PEOPLE[number % len(PEOPLE)]
        begin_at = services.clock.now() + begins * MINUTE_MS
        detail = Detail(
            content=content,
            address=address,
            begin_at=begin_at,
            end_at=begin_at + 60 * MINUTE_MS,
            remind_min=remind_min,
            remind_type=remind_type,
            create_time=None,
            invitees=tuple(Invitee(*one[:2]) for one in PEOPLE if one[0] != uid),
        )
        command = Create(
            requester_name=name, detail=detail, repeat_key=f"demo-{number}", repeat_for=AGAIN_AFTER_MS
        )
        await meetings.create(services, Caller(APP_ID, ORG, uid), command)
    return secret


async def _secret(storage: Storage, found: settings.Settings) -> str:
    keyring = await installation.open_keys(storage, found)
    known = await storage.app(APP_ID)
    if known is not None:
        return keyring.unseal(known.secret, app_id=APP_ID)
    _, secret = await operate.add_app(
        storage,
        keyring,
        name="demo",
        orgs=(ORG.id,),
        app_id=APP_ID,
        secret=secrets.token_hex(16),  # no - at its beginning to trip over when it is copied
    )
    return secret


def _guide(found: settings.Settings, secret: str) -> str:
    now = time.time_ns() // 1_000_000
    return GUIDE.format(
        address=found.own_address,
        port=found.port,
        file=found.database_file.resolve(),
        outbox=outbox.PATH,
        app_id=APP_ID,
        app_secret=secret,
        now=now,
        begin=now + 60 * MINUTE_MS,
        end=now + 120 * MINUTE_MS,
    )


def _is_own(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
