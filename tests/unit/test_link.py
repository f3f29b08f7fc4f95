"""Personal links: what is written can be read, and nothing else is taken."""

from hypothesis import given
from hypothesis import strategies as st

from huiyao import link
from huiyao.link import Link

KEY = b"k" * 32
ids = st.integers(1, 2**63 - 1)


def made(*, uid: str = "u1", org_id: int = 85161, meeting_id: int = 1234, link_id: int = 2**62) -> Link:
    return Link.make(KEY, org_id=org_id, meeting_id=meeting_id, uid=uid, link_id=link_id)


@given(org_id=ids, meeting_id=ids, link_id=st.integers(0, 2**63 - 1), uid=st.text(min_size=1, max_size=64))
def test_a_link_is_read_as_it_was_written(org_id: int, meeting_id: int, link_id: int, uid: str) -> None:
    uid = uid.encode(errors="replace").decode()
    one = made(org_id=org_id, meeting_id=meeting_id, link_id=link_id, uid=uid)
    found = link.read(one.text())
    assert found == one
    assert found is not None
    assert found.belongs_to(uid, key=KEY)
    assert len(one.text()) <= 46


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_without_an_error(text: str) -> None:
    found = link.read(text)
    assert found is None or found.text() == text


@given(at=st.integers(0, 30), letter=st.sampled_from("Aa0-_9Zz"))
def test_a_link_with_another_letter_is_nobodys(at: int, letter: str) -> None:
    text = made().text()
    changed = text[:at] + letter + text[at + 1 :]
    found = link.read(changed)
    assert changed == text or found is None or not found.belongs_to("u1", key=KEY)


def test_a_link_belongs_to_one_person_and_one_key() -> None:
    one = made()
    assert one.belongs_to("u1", key=KEY)
    assert not one.belongs_to("u2", key=KEY)
    assert not one.belongs_to("u1", key=b"x" * 32)


def test_a_usual_link_leaves_room_for_its_host() -> None:
    assert len(made(meeting_id=3_000_000, link_id=2**63 - 1).text()) <= 35


def test_numbers_that_no_database_holds_are_refused() -> None:
    assert link.read(made(org_id=2**63).text()) is None
    assert link.read("") is None
    assert link.read("é" * 10) is None
