"""The answers' file: what stands in it, that no spreadsheet runs it, and under which name it is saved."""

import csv
import io
from email.message import Message
from urllib.parse import unquote

import httpx
import pytest

from huiyao.model import Person
from tests.pages.house import DAY, HERE, NOW, House

ACCEPTED, DECLINED = 2, 3


async def fetch(house: House, meeting_id: int, *, language: str = "en") -> httpx.Response:
    me = await house.browser("u1", language=language)
    answer = await me.get(f"/workbench/meetings/{meeting_id}/answers.csv")
    assert answer.status_code == 200
    return answer


def rows(answer: httpx.Response) -> list[list[str]]:
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def saved_as(answer: httpx.Response) -> tuple[str, str]:
    """The names for old and for new browsers."""
    message = Message()
    message["content-disposition"] = answer.headers["content-disposition"]
    plain = message.get_param("filename", header="content-disposition")
    extended = answer.headers["content-disposition"].split("filename*=UTF-8''")[1]
    return str(plain), unquote(extended)


async def test_everybody_listed_stands_there_in_order_with_their_answer(house: House) -> None:
    meeting_id = await house.create("u3", "u2", "u4")
    await house.respond(meeting_id, "u2", ACCEPTED, reply='"On time", yes')
    await house.respond(meeting_id, "u3", DECLINED)
    answer = await fetch(house, meeting_id)
    assert rows(answer) == [
        ["Number", "Name", "Answer", "Reply", "Answered at (Asia/Shanghai)", "Reminders on"],
        ["u3", "张敏", "Declined", "", "2027-01-15 16:00:00", "Yes"],
        ["u2", "李强", "Accepted", '"On time", yes', "2027-01-15 16:00:00", "Yes"],
        ["u4", "刘洋", "Unread", "", "", "Yes"],
    ]


async def test_the_file_speaks_chinese_to_those_who_do(house: House) -> None:
    answer = await fetch(house, await house.create("u2"), language="zh-CN")
    assert rows(answer)[0][2:4] == ["答复", "留言"]
    assert rows(answer)[1][2] == "未读"


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "＝1"])
async def test_no_cell_is_a_formula(house: House, evil: str) -> None:
    await house.storage.import_people([Person(org_id=HERE.id, uid="x", name=evil)])
    meeting_id = await house.create("x")
    await house.respond(meeting_id, "x", ACCEPTED, reply=evil)
    assert rows(await fetch(house, meeting_id))[1][3] == f"'{evil}"


async def test_it_is_saved_under_the_meetings_title(house: House) -> None:
    meeting_id = await house.create("u2", content='季度/预算: "Q1"\nwith more')
    assert saved_as(await fetch(house, meeting_id)) == (
        f"answers-{meeting_id}.csv",
        "季度 预算 Q1 - Answers.csv",
    )


async def test_a_title_of_dots_and_slashes_names_no_folder(house: House) -> None:
    meeting_id = await house.create("u2", content="../..\\")
    assert saved_as(await fetch(house, meeting_id))[1] == f"{meeting_id} - Answers.csv"


async def test_the_answers_to_a_past_or_cancelled_meeting_can_still_be_had(house: House) -> None:
    meeting_id = await house.create("u2", begin_at=NOW - 2 * DAY)
    assert len(rows(await fetch(house, meeting_id))) == 2
