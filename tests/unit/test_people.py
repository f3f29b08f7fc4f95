"""People from a CSV file: every bad row is named with its line."""

import pytest

from huiyao.errors import OperatorError
from huiyao.model import Person
from huiyao.service.people import Fault, parse


def test_every_column_is_read_and_blanks_around_it_are_not() -> None:
    people, faults = parse(
        "uid, Name,mobile,email,timezone,locale\n"
        'u1, 王芳 ,"+86 139-1234 5678",wang@example.com,Europe/Berlin,zh-CN\n'
        "u2,李强,,,,\n",
        7,
    )
    assert not faults
    assert people == [
        Person(
            org_id=7,
            uid="u1",
            name="王芳",
            mobile="+8613912345678",
            email="wang@example.com",
            timezone="Europe/Berlin",
            locale="zh-CN",
        ),
        Person(org_id=7, uid="u2", name="李强"),
    ]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",王芳,", "uid"),
        ("x" * 65 + ",王芳,", "uid"),
        ("u\x00,王芳,", "uid"),
        ("u1, ,", "name"),
        ("u1," + "王" * 129 + ",", "name"),
        ("u1,王芳,1234", "mobile must be a mobile number, such as 13800138000 or +8613800138000"),
        ("u1,王芳,+", "mobile"),
        ("u1,王芳,010 6234 5678", "mobile"),
        ("u1,王芳,call me", "mobile"),
        ("u1,王芳", "2 fields where the first line has 3"),
        ("u1,王芳,,", "4 fields where the first line has 3"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_fault(row: str, fault: str) -> None:
    people, faults = parse(f"uid,name,mobile\nu0,李强,\n{row}\nu9,张敏,\n", 7)
    assert [one.uid for one in people] == ["u0", "u9"]
    assert [one.line for one in faults] == [3]
    assert fault in faults[0].fault
    assert "call me" not in faults[0].fault


@pytest.mark.parametrize(
    ("column", "value"),
    [("email", "nobody"), ("timezone", "Beijing"), ("timezone", "../etc"), ("locale", "fr")],
)
def test_what_cannot_be_used_is_bad(column: str, value: str) -> None:
    _, faults = parse(f"uid,name,{column}\nu1,王芳,{value}\n", 7)
    assert [one.fault.split()[0] for one in faults] == [column]


def test_a_uid_that_is_there_twice_is_bad_the_second_time() -> None:
    people, faults = parse("uid,name\nu1,王芳\nu1,李强\n", 7)
    assert [one.name for one in people] == ["王芳"]
    assert faults == [Fault(3, "uid u1 is there twice")]


def test_lines_are_counted_over_quoted_breaks_and_empty_lines() -> None:
    _, faults = parse('uid,name\r\n"u\n1",王芳\r\n\r\nu2,\r\n', 7)
    assert [one.line for one in faults] == [2, 5]


@pytest.mark.parametrize("header", ["", "uid", "name,mobile", "uid,name,phone", "uid,name,name", "u1,王芳"])
def test_a_header_that_does_not_name_the_columns_is_refused(header: str) -> None:
    with pytest.raises(OperatorError, match="first line must name columns"):
        parse(f"{header}\nu1,王芳\n", 7)


def test_what_is_no_csv_is_refused_with_its_line() -> None:
    with pytest.raises(OperatorError, match="Line 2 is no CSV"):
        parse('uid,name\nu1,"王芳\n', 7)
