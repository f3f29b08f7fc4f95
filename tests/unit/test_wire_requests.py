"""What the calls take, in both generations, and the commands they become (contract sections 4 to 6)."""

from typing import Any

import pytest

from huiyao import errors
from huiyao.model import MsgStatus
from huiyao.rules.commands import Detail, Invitee
from huiyao.storage.contract import CardsWanted, Position
from huiyao.wire import body, cursor, requests

CREATE = requests.create(3)
MEETING = requests.meeting_body(3)


def detail(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "createTime": "1478851200000",
        "content": "budget",
        "address": "",
        "beginTime": 1478851200,
        "endTime": "1478854800000",
        "remindMin": "15",
        "remindType": "1",
        "members": [{"uid": 7, "name": "Li"}, {"uid": "8", "name": "Wu", "remind": False, "isRemind": False}],
    }
    return {key: value for key, value in (whole | changes).items() if value is not ...}


def create(**changes: Any) -> dict[str, Any]:
    whole = {"requesterUid": "u1", "requesterName": "Boss", "detail": detail()}
    return {key: value for key, value in (whole | changes).items() if value is not ...}


def fault(form: Any, value: object) -> str:
    with pytest.raises(errors.BadParameter) as caught:
        body.parse(form, value)
    return caught.value.field


def test_create_becomes_a_detail_with_numbers_and_milliseconds() -> None:
    given = body.parse(CREATE, create())
    assert (given.uid, given.name, given.silent, given.client_token) == ("u1", "Boss", False, None)
    assert given.detail == Detail(
        content="budget",
        address="",
        begin_at=1_478_851_200_000,
        end_at=1_478_854_800_000,
        remind_min=15,
        remind_type=1,
        create_time=1_478_851_200_000,
        invitees=(Invitee("7", "Li"), Invitee("8", "Wu")),
    )


@pytest.mark.parametrize(
    "field",
    ["createTime", "content", "address", "beginTime", "endTime", "remindMin", "remindType", "members"],
)
@pytest.mark.parametrize("absent", [..., None])
def test_every_field_of_the_first_generations_detail_is_required(field: str, absent: object) -> None:
    assert fault(CREATE, create(detail=detail(**{field: absent}))) == f"detail.{field}"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"content": " "}, "detail.content"),
        ({"content": "x" * 5001}, "detail.content"),
        ({"address": "x" * 513}, "detail.address"),
        ({"remindMin": 40_321}, "detail.remindMin"),
        ({"remindMin": -1}, "detail.remindMin"),
        ({"remindType": 2}, "detail.remindType"),
        ({"beginTime": -1}, "detail.beginTime"),
        ({"endTime": 1_478_851_199_999}, "detail.endTime"),
        ({"members": []}, "detail.members"),
        ({"members": [{"uid": "a", "name": "A"}] * 4}, "detail.members"),
        ({"members": [{"uid": "a", "name": "A"}, {"uid": "b"}]}, "detail.members[1].name"),
        ({"members": [{"uid": " ", "name": "A"}]}, "detail.members[0].uid"),
        ({"members": [{"uid": "x" * 65, "name": "A"}]}, "detail.members[0].uid"),
        ({"members": [{"uid": "a", "name": "x" * 129}]}, "detail.members[0].name"),
        ({"members": ["a"]}, "detail.members[0]"),
    ],
)
def test_a_detail_out_of_its_limits_names_the_field(changes: dict[str, Any], path: str) -> None:
    assert fault(CREATE, create(detail=detail(**changes))) == path


def test_a_detail_at_its_limits_is_accepted() -> None:
    given = body.parse(
        CREATE,
        create(
            detail=detail(
                content="会" * 5000,
                address="室" * 512,
                remindMin=40_320,
                endTime=1_478_851_200,
                members=[{"uid": "u" * 64, "name": "名" * 128}],
            )
        ),
    )
    assert given.detail.begin_at == given.detail.end_at


def test_a_uid_listed_twice_counts_once_at_its_first_place_with_its_last_name() -> None:
    members = [{"uid": "a", "name": "1"}, {"uid": "b", "name": "2"}, {"uid": "a", "name": "3"}]
    given = body.parse(CREATE, create(detail=detail(members=members)))
    assert given.detail.invitees == (Invitee("a", "3"), Invitee("b", "2"))


def test_a_missing_requester_is_left_for_later_and_other_faults_come_first() -> None:
    assert body.parse(CREATE, create(requesterUid=...)).uid == ""
    assert body.parse(CREATE, create(requesterUid=None)).uid == ""
    assert fault(CREATE, create(requesterUid=..., requesterName=" ")) == "requesterName"
    assert fault(CREATE, create(requesterUid=[])) == "requesterUid"
    assert fault(CREATE, create(requesterUid="x" * 65)) == "requesterUid"


def test_notify_is_none_or_a_fault() -> None:
    assert body.parse(CREATE, create(notify="none")).silent
    assert fault(CREATE, create(notify="all")) == "notify"
    assert fault(requests.update(3), create(meetingInviteId=1, notify="")) == "notify"


def test_a_client_token_is_visible_ascii() -> None:
    assert body.parse(CREATE, create(clientToken="k-1")).client_token == "k-1"
    assert fault(CREATE, create(clientToken="a b")) == "clientToken"


def test_update_takes_a_meeting_and_a_sequence() -> None:
    given = body.parse(requests.update(3), create(meetingInviteId="111234", sequence="4"))
    assert (given.meeting_id, given.sequence) == (111234, 4)
    assert fault(requests.update(3), create(meetingInviteId=0)) == "meetingInviteId"
    assert fault(requests.update(3), create(meetingInviteId=2**63)) == "meetingInviteId"
    assert fault(requests.update(3), create(meetingInviteId=1, sequence=-1)) == "sequence"


def test_respond_takes_2_or_3_and_a_reply() -> None:
    given = body.parse(
        requests.RESPOND, {"requesterUid": "a", "meetingInviteId": 1, "msgStatus": "3", "reply": "no"}
    )
    assert given.command.msg_status is MsgStatus.DECLINED
    assert given.command.reply == "no"
    for wrong in (1, 4, "", None):
        assert fault(requests.RESPOND, {"meetingInviteId": 1, "msgStatus": wrong}) == "msgStatus"
    assert fault(requests.RESPOND, {"meetingInviteId": 1, "msgStatus": 2, "reply": "x" * 501}) == "reply"


def test_the_later_generation_fills_in_what_is_not_set() -> None:
    given = body.parse(MEETING, detail(createTime=..., remindMin=..., remindType=...)).detail
    assert (given.create_time, given.remind_min, given.remind_type) == (None, 0, 0)
    assert body.parse(MEETING, detail(createTime=0)).detail.create_time is None
    assert body.parse(MEETING, detail(createTime="0")).detail.create_time is None
    assert body.parse(MEETING, detail()).detail.create_time == 1_478_851_200_000


def test_the_later_generation_takes_is_remind_and_ignores_what_else_its_client_sends_back() -> None:
    given = body.parse(MEETING, detail(voiceUrl=[], meetingRoomId=0)).detail
    assert given.invitees == (Invitee("7", "Li"), Invitee("8", "Wu", False))
    member = {"uid": "a", "name": "A", "status": 0, "isRemind": "false", "reply": {}, "gmtReply": ""}
    assert body.parse(MEETING, detail(members=[member])).detail.invitees == (Invitee("a", "A", False),)


@pytest.mark.parametrize("field", ["content", "address", "beginTime", "endTime", "members"])
def test_the_later_generation_requires_the_rest_and_names_it_without_detail(field: str) -> None:
    assert fault(MEETING, detail(**{field: ...})) == field


@pytest.mark.parametrize("field", ["beginTime", "endTime"])
def test_a_time_of_zero_is_a_time_not_set_in_the_later_generation(field: str) -> None:
    assert fault(MEETING, detail(**{field: 0})) == field


def test_a_cursor_goes_out_and_comes_back() -> None:
    position = Position(2**62, 12345)
    given = body.parse(requests.INBOX, {"cursor": cursor.write(position)})
    assert (given.after, given.size) == (position, 50)


@pytest.mark.parametrize("value", ["", "abc", 7, [], "A" * 21, "A" * 23, "_" * 22, "键", "A" * 5000])
def test_a_cursor_that_was_never_given_is_refused(value: object) -> None:
    assert fault(requests.INBOX, {"cursor": value}) == "cursor"


@pytest.mark.parametrize("size", [0, 201, "x"])
def test_an_inbox_page_has_1_to_200_messages(size: object) -> None:
    assert fault(requests.INBOX, {"size": size}) == "size"


def listing(**fields: Any) -> CardsWanted:
    given = body.parse(requests.LIST, {"requesterUid": "a", **fields})
    assert given.uid == "a"
    found: CardsWanted = given.wanted
    return found


def test_a_list_wants_50_cards_of_any_kind_unless_it_says_otherwise() -> None:
    assert listing() == CardsWanted(size=50)
    assert listing(
        beginTime="1478851200000", endTime=1478854800, msgStatus="0", role="created", size="7"
    ) == CardsWanted(
        begin_at=1_478_851_200_000, end_at=1_478_854_800_000, msg_status=0, organizer=True, size=7
    )
    assert listing(role="invited", beginTime=5).organizer is False


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("endTime", {"beginTime": 1_478_851_200_001, "endTime": 1_478_851_200_000}),
        ("beginTime", {"beginTime": -1}),
        ("msgStatus", {"msgStatus": 4}),
        ("msgStatus", {"msgStatus": -1}),
        ("role", {"role": "creator"}),
        ("role", {"role": 1}),
        ("size", {"size": 0}),
        ("size", {"size": 201}),
    ],
)
def test_what_a_list_cannot_want_is_named(field: str, fields: dict[str, Any]) -> None:
    assert fault(requests.LIST, fields) == field


@pytest.mark.parametrize("meeting_id", [1, 111_234, 2**53, 2**63 - 1])
def test_a_lists_cursor_goes_out_and_comes_back(meeting_id: int) -> None:
    assert listing(cursor=cursor.write_below(meeting_id)).below == meeting_id


@pytest.mark.parametrize(
    "value",
    ["", "abc", 7, [], "A" * 10, "A" * 12, "_" * 11, "键", "A" * 5000, cursor.write(Position(1, 1))],
)
def test_a_lists_cursor_that_was_never_given_is_refused(value: object) -> None:
    assert fault(requests.LIST, {"cursor": value}) == "cursor"


def test_an_inbox_takes_no_cursor_of_a_list() -> None:
    assert fault(requests.INBOX, {"cursor": cursor.write_below(111_234)}) == "cursor"


def test_a_cursor_of_changes_comes_back_as_the_position_it_was_made_of() -> None:
    position = Position(2**62, 7)
    given = body.parse(requests.CHANGES, {"cursor": cursor.write_changes(position), "size": "200"})
    assert (given.after, given.size) == (position, 200)
    given = body.parse(requests.CHANGES, {})
    assert (given.after, given.size) == (None, 50)


def test_neither_an_inbox_nor_the_feed_of_changes_takes_the_others_cursor() -> None:
    assert fault(requests.CHANGES, {"cursor": cursor.write(Position(5, 7))}) == "cursor"
    assert fault(requests.INBOX, {"cursor": cursor.write_changes(Position(5, 7))}) == "cursor"
    assert fault(requests.CHANGES, {"size": 201}) == fault(requests.CHANGES, {"size": 0}) == "size"


def freebusy(**changes: Any) -> dict[str, Any]:
    whole = {"uids": ["a", 7], "beginTime": 1_478_851_200_000, "endTime": 1_478_854_800_000} | changes
    return {key: value for key, value in whole.items() if value is not ...}


def test_freebusy_asks_for_each_person_once_in_the_order_given() -> None:
    given = body.parse(requests.FREEBUSY, freebusy(uids=["b", 7, "a", "7", "b"]))
    assert given.uids == ["b", "7", "a"]
    assert (given.begin_at, given.end_at) == (1_478_851_200_000, 1_478_854_800_000)


def test_freebusy_takes_200_people_and_31_days() -> None:
    longest = 1_478_851_200_000 + 31 * 86_400_000
    body.parse(requests.FREEBUSY, freebusy(uids=[str(one) for one in range(200)], endTime=longest))
    assert fault(requests.FREEBUSY, freebusy(endTime=longest + 1)) == "endTime"
    assert fault(requests.FREEBUSY, freebusy(uids=["a"] * 201)) == "uids"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("uids", {"uids": ...}),
        ("uids", {"uids": []}),
        ("uids", {"uids": "a"}),
        ("uids[1]", {"uids": ["a", " "]}),
        ("uids[0]", {"uids": ["x" * 65]}),
        ("beginTime", {"beginTime": ...}),
        ("endTime", {"endTime": ...}),
        ("endTime", {"endTime": 1_478_851_199_999}),
    ],
)
def test_what_freebusy_lacks_is_named(field: str, changes: dict[str, Any]) -> None:
    assert fault(requests.FREEBUSY, freebusy(**changes)) == field
