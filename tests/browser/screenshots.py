"""`make screenshots`: a week of a sandbox's people, and what its pages look like, into docs/images/."""

import tempfile
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from playwright.sync_api import sync_playwright

from tests.acceptance.process import ORG, Installation, free_port
from tests.browser.browsing import DESK, PHONE, Look, Person, launch
from tests.browser.workbench import Workbench

FOLDER: Final = Path(__file__).parents[2] / "docs" / "images"
ZONE: Final = ZoneInfo("Asia/Shanghai")
ME: Final = ("u1001", "王芳")
PEOPLE: Final = (
    ME,
    ("u1002", "李强"),
    ("u1003", "张敏"),
    ("u1004", "刘洋"),
    ("u1005", "Anna Berg"),
    ("u1006", "陈静"),
    ("u1007", "杨磊"),
    ("u1008", "Ben Carter"),
)
# Who calls it, what, where, the day from today, begin and hours on the organisation's clock, and my answer.
WEEK: Final[tuple[tuple[int, str, str, int, float, float, int], ...]] = (
    (1, "项目周会\n上周进展、本周计划、需要协调的问题。", "三楼会议室", 0, 9.5, 1, 2),
    (0, "新人入职沟通", "二楼洽谈区", 0, 14, 0.5, 0),
    (2, "季度预算评审\n请各部门带上一季度的执行数据，会前阅读附件。", "五楼会议室", 1, 10, 1.5, 0),
    (4, "Design review: mobile app", "Room Oslo / online", 1, 11, 1, 2),
    (3, "客户拜访：华东区", "线上", 1, 15, 1, 2),
    (5, "招聘面试（后端）", "一楼接待室", 2, 10, 1, 0),
    (0, "产品路线图讨论\n请先看文档，会上只讨论分歧。", "五楼会议室", 2, 14, 2, 0),
    (7, "Weekly sync with Berlin", "online", 2, 16.5, 0.5, 2),
    (6, "消防演练", "全楼", 3, 9, 1, 3),
    (2, "合同评审", "法务部", 3, 10.5, 1, 2),
    (1, "架构评审：消息推送", "三楼会议室", 3, 14, 1.5, 0),
    (0, "月度总结会", "大会议室", 4, 10, 2, 0),
    (3, "团队午餐", "园区食堂", 4, 12, 1, 2),
    (1, "年度规划启动会", "大会议室", 6, 9.5, 2, 0),
)


def at(day: int, hour: float) -> int:
    """That hour of the organisation's clock, so many days from today."""
    midnight = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight + timedelta(days=day, hours=hour)).timestamp() * 1000)


def furnish(workbench: Workbench) -> dict[str, int]:
    """The week, answered by most; some meetings by the names their pages have here."""
    rows = [f"{uid},{name},+86138001380{number:02},,," for number, (uid, name) in enumerate(PEOPLE)]
    workbench.import_people(*rows)
    made = {}
    for number, (caller, content, address, day, hour, hours, answer) in enumerate(WEEK):
        organizer = PEOPLE[caller]
        invited = [
            one for place, one in enumerate(PEOPLE) if (place != caller and (place + number) % 5) or one == ME
        ]
        begin = at(day, hour)
        meeting_id = workbench.create(
            *(organizer, *dict.fromkeys(invited)),
            content=content,
            address=address,
            begin=begin,
            endTime=begin + int(hours * 3_600_000),
            remindType=1,
        )
        made[content.partition("\n")[0]] = meeting_id
        for place, (uid, _) in enumerate(invited):
            said = answer if uid == ME[0] else (2, 2, 0, 3, 2)[(place + number) % 5]
            if said and begin > time.time() * 1000:
                reply = "出差，请代为记录。" if said == 3 else ""
                workbench.client.do("respond", uid, meetingInviteId=meeting_id, msgStatus=said, reply=reply)
    moved, called_off = made["招聘面试（后端）"], made["团队午餐"]
    workbench.change(PEOPLE[5], moved, beginTime=at(2, 11), endTime=at(2, 12))
    workbench.client.do("cancel", PEOPLE[3][0], meetingInviteId=called_off)
    return made


def take(person: Person, name: str, path: str) -> None:
    """The page there, as it stands in its window."""
    person.open(path)
    beside = person.page.locator(".beside")
    if not person.look.phone and beside.count():  # the month there comes after the page
        beside.locator("table").wait_for()
    shoot(person, name)


def shoot(person: Person, name: str) -> None:
    size = "phone" if person.look.phone else "desk"
    file = FOLDER / f"{name}-{size}{'-dark' if person.look.scheme == 'dark' else ''}.png"
    person.page.screenshot(path=file, animations="disabled", caret="hide")
    print(f"{file.name}: {file.stat().st_size // 1000} kB")


def take_all(workbench: Workbench, made: dict[str, int], look: Look) -> None:
    """Every page in one look."""
    me = workbench.stranger(look, uid=ME[0], name=ME[1])
    workbench.sign_in(me)
    review = made["季度预算评审"]
    own = made["产品路线图讨论"]
    take(me, "invitations", "/workbench/")
    take(me, "invitation", f"/workbench/meetings/{review}")
    take(me, "organiser", f"/workbench/meetings/{own}")
    take(me, "messages", "/workbench/messages")
    take(me, "calendar", "/workbench/calendar")
    take(me, "month", "/workbench/calendar?view=month")
    take(me, "editor", f"/workbench/meetings/{own}/edit")
    me.page.locator("#begin").fill(datetime.fromtimestamp(at(2, 15) / 1000, ZONE).strftime("%Y-%m-%dT%H:%M"))
    me.page.locator("#end").fill(datetime.fromtimestamp(at(2, 17) / 1000, ZONE).strftime("%Y-%m-%dT%H:%M"))
    me.press("Continue")
    me.settled()
    shoot(me, "preview")
    take(me, "cancel", f"/workbench/meetings/{own}/cancel")
    take(me, "new", "/workbench/new")
    take(me, "day", "/workbench/calendar?view=day")
    take(me, "me", "/workbench/me")
    me.expected("status 404", "status of 404")
    take(me, "nothing", "/workbench/meetings/1000000000")
    take_guest(workbench, own, look)
    take_admin(workbench, own, look)


def take_guest(workbench: Workbench, meeting_id: int, look: Look) -> None:
    """What people see who have not signed in."""
    guest = workbench.stranger(look)
    text = workbench.text(PEOPLE[2][0], meeting_id)
    take(guest, "link", f"http{text.partition('http')[2].split()[0]}")
    guest.expected("status 403", "status of 403")
    take(guest, "enter", "/workbench/enter")


def take_admin(workbench: Workbench, meeting_id: int, look: Look) -> None:
    """The operators' pages, of which some are about one meeting, one person, one text, one event."""
    operator = workbench.operator(look)
    take(operator, "operations", "/admin/")
    for many, one, path in (
        ("apps", "app", "/admin/apps"),
        ("organisations", "organisation", "/admin/organisations"),
        ("people", "person", "/admin/people"),
        ("texts", "text", "/admin/deliveries"),
        ("callbacks", "callback", "/admin/callbacks"),
    ):
        take(operator, many, path)
        first = operator.page.locator(f"main .card a[href^='{path}/']").first
        take(operator, one, str(first.get_attribute("href")))
    take(operator, "replies", "/admin/replies")
    take(operator, "history", f"/admin/meetings/{ORG}/{meeting_id}")


def take_dark(workbench: Workbench) -> None:
    for look, name, path in (
        (Look(PHONE, "zh-CN", "dark"), "invitations", "/workbench/"),
        (Look(DESK, "en", "dark"), "calendar", "/workbench/calendar"),
    ):
        me = workbench.stranger(look, uid=ME[0], name=ME[1])
        workbench.sign_in(me)
        take(me, name, path)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Installation(Path(folder), callback_private="127.0.0.0/8")) as installation,
    ):
        installation.set_up()
        installation.succeed("app", "set", str(installation.app_id), "--grant", "ticket")
        port = free_port()
        app_id, unheard = str(installation.app_id), f"http://127.0.0.1:{free_port()}/"  # nobody listens there
        installation.succeed("app", "set", app_id, "--callback", unheard)
        server = installation.serve(port=port, public_url=f"http://127.0.0.1:{port}")
        with sync_playwright() as playwright, closing(launch(playwright)) as browser:
            workbench = Workbench(installation, browser, server, installation.client(server))
            with workbench.looked_at():
                made = furnish(workbench)
                take_all(workbench, made, Look(PHONE, "zh-CN"))
                take_all(workbench, made, Look(DESK, "en"))
                take_dark(workbench)


if __name__ == "__main__":
    main()
