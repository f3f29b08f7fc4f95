"""The OpenAPI document's words in Chinese. A text that changes in the code must change here, too; a test says so."""

from typing import Final

_HEAD: Final = {
    "Huiyao Open API": "会邀开放接口",
    (
        'Every call of the API itself answers HTTP 200 with `{"status":0}`, `{"status":0,"data":{…}}` or'
        ' `{"status":CODE,"message":"…"}`; the message is Chinese, or English with `Accept-Language: en`. To a'
        " `User-Agent` that begins with `open-api-sdk(` every answer also has `success`. Unknown paths get HTTP"
        " 404 and status -1."
    ): (
        '接口本身的应答一律是 HTTP 200，内容为 `{"status":0}`、`{"status":0,"data":{…}}` 或'
        ' `{"status":返回码,"message":"…"}`；message 为中文，请求带 `Accept-Language: en` 时为英文。`User-Agent`'
        " 以 `open-api-sdk(` 开头的客户端还会收到 `success`。路径不存在时为 HTTP 404，status 为 -1。"
    ),
    (
        "Scalars may arrive as JSON numbers or as strings, `null` counts as absent, unknown fields are ignored, and"
        " moments are milliseconds since 1970-01-01 UTC (a value below 100,000,000,000 is taken as seconds)."
    ): (
        "数值可以写成 JSON 数字或字符串，`null` 视同未填，未知字段一律忽略；时间为自 1970-01-01 UTC 起的毫秒数"
        "（小于 100,000,000,000 的按秒处理）。"
    ),
    "Return codes:": "返回码：",
}
_REMEDIES: Final = {
    "Nothing was changed. Repeat the call; if it persists, look at the server's log by X-Request-Id.": (
        "未做任何更改。请重试；若仍出错，请按 X-Request-Id 查服务器日志。"
    ),
    "Check the path; the base URL ends with /openapi/ and every call is listed in openapi.json.": (
        "请检查路径：基础地址以 /openapi/ 结尾，全部接口见 openapi.json。"
    ),
    "Repeat create with its Idempotency-Key, other calls as they are.": (
        "create 请带原来的 Idempotency-Key 重试，其他接口原样重试。"
    ),
    "Wait for Retry-After seconds and repeat the call.": "请等待 Retry-After 所示的秒数后重试。",
    "Get a new token with token/get.": "请调用 token/get 重新获取。",
    "Wait for midnight UTC; the operator raises an app's quota with `huiyao app set APP_ID --quota N`.": (
        "请等到 UTC 零点；运维人员可用 `huiyao app set APP_ID --quota N` 提高应用的每日配额。"
    ),
    "Wait for Retry-After seconds; the operator raises an app's rate with `huiyao app set APP_ID --rate N`.": (
        "请等待 Retry-After 所示的秒数；运维人员可用 `huiyao app set APP_ID --rate N` 提高应用的调用频率。"
    ),
    "Check appId and appSecret with the operator; `huiyao app rotate` makes a new secret.": (
        "请与运维人员核对 appId 和 appSecret；`huiyao app rotate` 可生成新密钥。"
    ),
    "Send the token as query parameter or header accessToken.": "请用查询参数或请求头 accessToken 传递令牌。",
    "Repeat the call with method GET.": "请改用 GET。",
    "Repeat the call with method POST.": "请改用 POST。",
    "Call the https address; behind a proxy, the operator lists it in trusted_proxies.": (
        "请使用 https 地址；服务在代理之后时，运维人员须把代理列入 trusted_proxies。"
    ),
    "Send the JSON body of the call.": "请发送该接口的 JSON 消息体。",
    "Ask the operator for the permission: `huiyao app set APP_ID --grant NAME`, or --api NAME for usual calls.": (
        "请运维人员授予权限：`huiyao app set APP_ID --grant NAME`；普通接口用 --api NAME。"
    ),
    "Call from a listed address; the operator lists it with `huiyao app set APP_ID --ip NETWORK`.": (
        "请从白名单中的地址调用；运维人员可用 `huiyao app set APP_ID --ip NETWORK` 添加。"
    ),
    "Check orgId or orgSecret; the operator grants organisations with `huiyao app set`.": (
        "请检查 orgId 或 orgSecret；运维人员用 `huiyao app set` 为应用授权企业。"
    ),
    "Import the person with `huiyao person import`, or open the organisation's directory.": (
        "请用 `huiyao person import` 导入此人，或开放企业的通讯录。"
    ),
    "Send requesterUid (or header uid on the meeting/ calls).": (
        "请传 requesterUid（meeting/ 接口为请求头 uid）。"
    ),
    "Correct the parameter that the message names.": "请更正 message 所指的参数。",
    "Take messageId from an answer of inbox.": "messageId 应取自 inbox 的应答。",
    "Only members read and respond; the creator may be one of them.": (
        "只有会议成员才能标记已读和答复；创建者也可以是成员。"
    ),
    "Wait as long as the message says.": "请等待 message 所示的时间。",
    "Send a smaller body; the operator's limit is max_body_bytes.": (
        "请减小消息体；上限由运维人员以 max_body_bytes 设定。"
    ),
    "Check meetingInviteId, the organisation and the requester.": "请检查 meetingInviteId、企业和请求者。",
    "Call as the meeting's creator.": "请以会议创建者的身份调用。",
    "A cancelled meeting stays cancelled; create a new one.": "已取消的会议不能恢复，请新建会议。",
    "Answers and nudges end with the meeting.": "会议结束后不能再答复或提醒。",
    "Use a new key for each new request.": "每个新请求请使用新的键。",
    "Call detail, look at the change, and repeat with the new sequence.": (
        "请调用 detail 查看改动，再以新的 sequence 重试。"
    ),
}
_ANSWERS: Final = {
    "Done or refused; `status` tells:": "成功或被拒绝，由 `status` 表明：",
    "The body is too large.": "消息体过大。",
    "Overload, or a commit of unknown outcome; with Retry-After.": (
        "服务繁忙，或提交的结果未知；带 Retry-After。"
    ),
    "Seconds to wait.": "应等待的秒数。",
    "With 4006: seconds to wait.": "返回 4006 时：应等待的秒数。",
    "Where a rate or daily quota applies: how many calls it has.": "设有频率或每日配额时：可调用的总次数。",
    "How many of them are left, as far as the process that answers knows.": (
        "其中剩余的次数（以应答的进程所知为准）。"
    ),
    "Seconds until all of them are there again.": "距离完全恢复的秒数。",
    "The client's own if it sent a plausible one.": "客户端自带的合理标识会原样返回。",
}
_PARAMETERS: Final = {
    "In the query or in the header.": "放在查询参数或请求头中。",
    "0: the current token if it has at least 5 minutes left, 1: a new one.": (
        "0：当前令牌剩余 5 分钟以上时返回当前令牌；1：强制获取新令牌。"
    ),
    "The organisation the call is for: digits, or URL-safe base64 of 10 bytes.": (
        "所属企业：十进制数字，或 10 字节的 URL 安全 base64。"
    ),
    "The same as digits, or URL-safe base64 of 18 bytes; orgId wins.": (
        "同上：十进制数字，或 18 字节的 URL 安全 base64；以 orgId 为准。"
    ),
    "Who is asking; 4501 where blank.": "请求者；为空时返回 4501。",
    "The requester's name; URL-encoded UTF-8 beside orgSecret, plain otherwise.": (
        "请求者姓名；与 orgSecret 一起使用时为 URL 编码的 UTF-8，否则为原文。"
    ),
    "Not looked at.": "不使用。",
    "Within 24 h the same key answers the first result again and creates nothing.": (
        "24 小时内同一个键返回首次的结果，不会重复创建。"
    ),
    "en for English messages.": "en 表示返回英文 message。",
    "Comes back with the answer.": "随应答原样返回。",
}
_FIELDS: Final = {
    "The creator's name.": "创建者姓名。",
    "When the meeting was made, by the caller's reckoning.": "会议的创建时间，以调用方为准。",
    "Absent or 0: now on create, unchanged on update.": "不填或 0：创建时取当前时间，更新时保持不变。",
    "What the meeting is about.": "会议内容。",
    "Where; may be blank.": "会议地点，可以为空。",
    "When it begins.": "开始时间。",
    "When it ends; not before beginTime.": "结束时间，不得早于 beginTime。",
    "Minutes before the beginning to remind at.": "提前多少分钟提醒。",
    "0: in the app, 1: by SMS too.": "0：应用内提醒；1：同时发短信。",
    "Whom to invite; a uid listed twice counts once.": "会议成员；重复的 uid 只计一次。",
    "The person's uid.": "人员的 uid。",
    "The person's name.": "人员姓名。",
    "false: reminders off for this person.": "false：不提醒此人。",
    '"none" sends nobody anything.': '"none" 表示不通知任何人。',
    "The same as header Idempotency-Key, which wins.": "同请求头 Idempotency-Key，以请求头为准。",
    "The meeting invitation's id, as create answered it.": "会议邀请的 id，即 create 返回的值。",
    "As detail answered it: 4605 where it is no longer the meeting's.": (
        "detail 返回的值；若会议已被改动而不再相符，则返回 4605。"
    ),
    "2: accept, 3: decline.": "2：接受；3：拒绝。",
    "A word to the creator.": "给创建者的附言。",
    "Whether to be reminded.": "是否提醒。",
    "How many messages at the most.": "最多返回多少条消息。",
    "How many meetings at the most.": "最多返回多少个会议。",
    "How many changes at the most.": "最多返回多少条变更。",
    "nextCursor of an earlier answer; without it, the newest.": (
        "此前应答中的 nextCursor；不填则返回最新的。"
    ),
    "nextCursor of an earlier answer; without it, from the very beginning.": (
        "此前应答中的 nextCursor；不填则从最早开始。"
    ),
    "The last message to mark, with all before it.": "标记到这一条为止，含之前的全部消息。",
    "Only meetings that end after this.": "只返回在此之后结束的会议。",
    "Only meetings that begin before this.": "只返回在此之前开始的会议。",
    "Only where the requester is a member with this answer.": "只返回请求者作为成员且答复状态为此值的会议。",
    "Only the requester's own meetings, or only others'.": "只返回请求者创建的会议，或只返回他人创建的会议。",
    "Whose times; a uid listed twice counts once.": "查询哪些人；重复的 uid 只计一次。",
    "Where the window begins.": "时间段的开始。",
    "Where it ends; not before beginTime, and 31 days after it at the latest.": (
        "时间段的结束；不得早于 beginTime，最晚为其后 31 天。"
    ),
}
_CALLS: Final = {
    "Get an access token": "获取 accessToken",
    (
        "`appId` and `appSecret` come as query parameters or as request headers. A forced refresh supersedes "
        "the token before it, which stays good for a grace period. Never answers 4001 to 4005."
    ): (
        "`appId` 和 `appSecret` 可放在查询参数或请求头中。强制刷新会取代之前的令牌，后者在宽限期内仍然有效。"
        "本接口从不返回 4001 至 4005。"
    ),
    "Create a meeting invitation": "创建会议邀请",
    "Call a meeting off (creator only)": "取消会议（仅限创建者）",
    "Repeating it answers 0.": "重复调用返回 0。",
    "Remove the card from the requester's own workbench": "从请求者自己的工作台移除卡片",
    "Nobody else's card goes, and the meeting is not cancelled.": "不影响其他人的卡片，也不取消会议。",
    "Replace the whole detail (creator only)": "替换会议的全部内容（仅限创建者）",
    "Where begin or end changes, all answers go back to 0.": "开始或结束时间有变时，全部答复重置为 0。",
    "Get a meeting invitation with its members": "获取会议邀请及其成员",
    "For the creator and the members; changes nothing.": "供创建者和成员调用；不改变任何状态。",
    "Mark the invitation as read": "将邀请标记为已读",
    "msgStatus 0 becomes 1; otherwise nothing happens.": "msgStatus 为 0 时变为 1，否则不变。",
    "Accept or decline": "接受或拒绝",
    "Turn the requester's own reminders on or off": "开启或关闭请求者自己的提醒",
    "Nudge the members who have not answered (creator only)": "再次提醒尚未答复的成员（仅限创建者）",
    "At most once per 5 minutes per meeting.": "每个会议每 5 分钟最多一次。",
    "The meetings on the requester's workbench, the newest first": "请求者工作台上的会议，最新的在前",
    (
        "Cancelled ones included, removed cards not. A creator who is no member has no msgStatus. Pages stay stable"
        " while meetings come and go."
    ): "包括已取消的会议，不包括已移除的卡片。创建者不是成员时没有 msgStatus。翻页期间会议增减不影响结果的稳定。",
    "The requester's in-app messages, newest last": "请求者的应用内消息，最新的在后",
    "Mark messages up to messageId as read": "将 messageId 及之前的消息标记为已读",
    "When people are busy, without saying with what": "查询人员的忙闲，不透露内容",
    (
        "busy: accepted, or the creator. tentative: not answered, and not busy anyway. Declined and cancelled"
        " meetings leave a person free."
    ): "busy：已接受，或为创建者；tentative：尚未答复，且该时段并无其他安排。已拒绝和已取消的会议视为空闲。",
    "What was changed in the organisation, in order, for synchronising another system": (
        "企业内会议的变更，按顺序返回，用于同步其他系统"
    ),
    (
        "Everything that was done to any meeting of the organisation, whoever asks, deletes and cancellations"
        " included; from the very beginning without a cursor. Keep nextCursor and ask again later: nothing is"
        " missed. changeId, kind, uid and time are of the change; meeting, and member (the part of uid in it),"
        " are as they stand now. kind: created, updated, cancelled, nudged (by the creator); read, responded,"
        " remind, deleted (by uid: the card was removed, or put back)."
    ): (
        "企业内任何会议的全部变更，与请求者是谁无关，包括移除和取消；不填 cursor 则从最早开始。保存 nextCursor，"
        "以后接着查询，不会遗漏。changeId、kind、uid 和 time 属于该变更；meeting 以及 member（uid 在会议中的状态）"
        "为当前状态。kind：created、updated、cancelled、nudged（由创建者）；read、responded、remind、deleted"
        "（由 uid：卡片被移除或恢复）。"
    ),
    "A one-time ticket that opens the workbench as the requester": "以请求者身份打开工作台的一次性票据",
    "url is for the requester's browser, once and soon. Whoever opens it is signed in as them.": (
        "url 供请求者的浏览器尽快打开，仅一次有效。谁打开它，谁就以请求者的身份登录。"
    ),
    "Needs the API permission": "需要接口权限",
    ".": "。",
}
TEXTS: Final = _HEAD | _REMEDIES | _ANSWERS | _PARAMETERS | _FIELDS | _CALLS


def say(text: str) -> str:
    """The English text in Chinese; as it is where nobody has translated it."""
    return TEXTS.get(text, text)
