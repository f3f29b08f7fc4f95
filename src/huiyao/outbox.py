"""The sandbox's page of texts: what would have gone to people's phones, the newest first.

It shows numbers and texts to whoever asks, so only `huiyao demo` has it.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from huiyao.model import Delivery, DeliveryState, Kind, Org
from huiyao.service.caller import Services
from huiyao.storage.contract import Wanted
from huiyao.texts.sms import parts

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH: Final = "/demo/sms"
SHOWN: Final = 100
REFRESH_SECONDS: Final = 5


class Words(msgspec.Struct, frozen=True):
    language: str
    title: str
    intro: str
    empty: str
    state: dict[str, str]
    kind: dict[str, str]
    parts: str


_ZH: Final = Words(
    language="zh-CN",
    title="短信发件箱",
    intro="这是体验环境：短信只显示在这里，不会真正发出。页面每 5 秒刷新一次。",
    empty="还没有短信。演示会议的第一条提醒会在一分钟内出现。",
    state={
        DeliveryState.PENDING: "等待发送",
        DeliveryState.SENDING: "发送中",
        DeliveryState.SENT: "已发送",
        DeliveryState.DELIVERED: "已送达",
        DeliveryState.FAILED: "失败",
        DeliveryState.SKIPPED: "未发送",
    },
    kind={
        Kind.INVITED: "邀请",
        Kind.UPDATED: "变更",
        Kind.CANCELLED: "取消",
        Kind.REMOVED: "移除",
        Kind.REMINDER: "提醒",
        Kind.NUDGED: "催办",
    },
    parts="{count} 条",
)
_EN: Final = Words(
    language="en",
    title="SMS outbox",
    intro="This is the sandbox: texts are shown here and sent nowhere. The page reloads every 5 seconds.",
    empty="No texts yet. The first reminder of the sample meetings comes within a minute.",
    state={one: one.value for one in DeliveryState},
    kind={
        Kind.INVITED: "invitation",
        Kind.UPDATED: "change",
        Kind.CANCELLED: "cancellation",
        Kind.REMOVED: "removal",
        Kind.REMINDER: "reminder",
        Kind.NUDGED: "nudge",
    },
    parts="{count} SMS",
)
_STYLE: Final = """
:root { color-scheme: light dark; --line: #d5d5d5; --dim: #5f5f5f; --card: #fff; --page: #ededed; --text: #191919 }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a3a3a; --dim: #ababab; --card: #1e1e1e; --page: #111; --text: #e4e4e4 }
}
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, "PingFang SC", sans-serif }
main { max-width: 42rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.25rem; margin: 0.5rem 0 }
p { margin: 0.25rem 0 }
.dim { color: var(--dim); font-size: 0.875rem }
ol { list-style: none; margin: 1rem 0; padding: 0 }
li { background: var(--card); border: 1px solid var(--line); border-radius: 8px }
li { padding: 0.75rem 1rem; margin: 0 0 0.75rem }
.text { overflow-wrap: anywhere }
"""
_PAGE: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{refresh}">
<title>{title} · Huiyao</title>
<style>{style}</style>
</head>
<body><main><h1>{title}</h1><p class="dim">{intro}</p>{body}</main></body>
</html>
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = (
    (b"content-type", b"text/html;charset=UTF-8"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'".encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Outbox:
    """ASGI: one page about one organisation."""

    def __init__(self, services: Services, org: Org) -> None:
        self._storage = services.storage
        self._org = org

    async def __call__(self, scope: Scope, send: Send) -> None:
        language = dict(scope["headers"]).get(b"accept-language", b"")
        words = _EN if language[:2].lower() == b"en" else _ZH
        found = await self._storage.deliveries(Wanted(org_id=self._org.id, limit=SHOWN))
        page = self._page(found, words).encode()
        headers = [*_HEADERS, (b"content-length", b"%d" % len(page))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    def _page(self, found: list[Delivery], words: Words) -> str:
        cards = "".join(self._card(one, words) for one in found)
        return _PAGE.format(
            language=words.language,
            refresh=REFRESH_SECONDS,
            title=words.title,
            style=_STYLE,
            intro=words.intro,
            body=f"<ol>{cards}</ol>" if cards else f"<p>{words.empty}</p>",
        )

    def _card(self, one: Delivery, words: Words) -> str:
        moment = datetime.fromtimestamp(
            (one.sent_at or one.ended_at or one.created_at) / 1000, ZoneInfo(self._org.timezone)
        )
        facts = [
            f"{moment:%Y-%m-%d %H:%M:%S}",
            f"{one.uid} {one.address}".strip(),
            words.kind[one.kind],
            words.state[one.state] + (f" ({one.reason})" if one.reason else ""),
        ]
        if one.text:
            facts.append(words.parts.format(count=parts(one.text)))
        text = f'<p class="text">{escape(one.text)}</p>' if one.text else ""
        return f'<li>{text}<p class="dim">{escape(" · ".join(facts))}</p></li>'
