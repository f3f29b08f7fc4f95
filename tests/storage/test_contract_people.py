"""The contract of the directory's search, on both databases."""

import pytest

from huiyao.model import Org, Person
from huiyao.pinyin import fold
from huiyao.storage.sqlite import people as sqlite
from tests.storage.node import ORG, Node, number, person

PEOPLE = {
    "u1": "曾芳",
    "u2": "王芳",
    "u3": "Anna Smith",
    "u4": "100% 王_小",
    "u5": r"back\slash",
    "U6": "单雄信",
}


async def import_all(node: Node) -> None:
    await node.storage.import_people(
        [
            Person(org_id=ORG.id, uid=uid, name=name, mobile=f"+861380013800{place}")
            for place, (uid, name) in enumerate(PEOPLE.items())
        ]
    )
    await node.storage.put_org(Org(id=2, name="other"))
    await node.storage.import_people([Person(org_id=2, uid="u7", name="王芳")])


async def search(
    node: Node, *words: str, mobile: str | None = None, after_uid: str = "", size: int = 99
) -> list[str]:
    asked = [fold(word) for word in words]
    found = await node.storage.search_people(ORG.id, asked, mobile=mobile, after_uid=after_uid, size=size)
    return [one.uid for one in found]


@pytest.mark.parametrize(
    ("words", "uids"),
    [
        (("芳",), ["u1", "u2"]),
        (("zengfang",), ["u1"]),
        (("cengf",), ["u1"]),
        (("zf",), ["u1"]),
        (("shanxiong",), ["U6"]),
        (("U6",), ["U6"]),
        (("FANG", "w"), ["u2"]),
        (("ann", "smi"), ["u3"]),
        (("annas",), ["u3"]),
        (("smith", "fang"), []),
        (("%",), ["u4"]),
        (("_",), ["u4"]),
        (("0% 王_",), ["u4"]),
        (("\\",), ["u5"]),
        ((r"k\s",), ["u5"]),
        ((), ["U6", "u1", "u2", "u3", "u4", "u5"]),
    ],
)
@pytest.mark.parametrize("large", [False, True])
async def test_people_are_found_by_every_word(
    node: Node, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], uids: list[str], large: bool
) -> None:
    """`large`: as in a directory that on SQLite is searched in a thread."""
    if large:
        monkeypatch.setattr(sqlite, "LARGE_DIRECTORY", 3)
    await import_all(node)
    assert await search(node, *words) == uids


async def test_somebody_is_found_by_their_number_and_nobody_by_a_part_of_it(node: Node) -> None:
    await import_all(node)
    assert await search(node, "13800138001", mobile="+8613800138001") == ["u2"]
    assert await search(node, "1380013800", mobile="+861380013800") == []
    assert await search(node, "138") == []
    await node.storage.import_people([Person(org_id=ORG.id, uid="none", name="no number")])
    assert await search(node, "xyz", mobile="") == []


async def test_a_search_goes_on_behind_the_last_uid(node: Node) -> None:
    uids = ["B", "a", "a1", "é", "中", "\U0001f600"]  # by code point, whatever the database's own order
    await node.people(*reversed(uids))
    found: list[str] = []
    while page := await search(node, "name", after_uid=found[-1] if found else "", size=2):
        found += page
    assert found == uids


async def test_whoever_is_learned_renamed_or_imported_is_found_by_the_name_they_have(node: Node) -> None:
    await node.create("ann")
    assert await search(node, "nameofann") == ["ann"]
    await node.update(await node.create("ann"), "ann", "bob")
    assert await search(node, "of bob") == ["bob"]
    await node.storage.import_people([Person(org_id=ORG.id, uid="ann", name="李安")])
    assert await search(node, "nameofann") == []
    assert await search(node, "lian") == ["ann"]


async def test_people_come_in_the_order_asked_without_those_unknown(node: Node) -> None:
    await node.people("ann", "bob", "cat")
    found = await node.storage.people(ORG.id, ["cat", "nobody", "ann"])
    assert found == [person("cat"), person("ann")]
    assert found[0].mobile == number("cat")
    assert await node.storage.people(ORG.id + 1, ["cat"]) == []
    assert await node.storage.people(ORG.id, []) == []
