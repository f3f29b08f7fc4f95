"""The API reference and the return codes say what the server answers now; `make reference` writes them anew."""

import asyncio
import re

import pytest

from huiyao import errors
from tests.documentation.reference import DOCS, LANGUAGES, documents, play
from tests.documentation.writing import Played
from tests.unit.test_errors import ALL


@pytest.fixture(scope="module")
def played() -> Played:
    return asyncio.run(play())


def test_every_page_shows_what_the_server_answers(played: Played) -> None:
    for file, text in documents(played).items():
        assert file.read_text(encoding="utf-8") == text, f"{file.name} is out of date: make reference"


def test_every_call_has_an_example_that_succeeds(played: Played) -> None:
    shown = {scene.call for listed in played.scenes.values() for scene, _ in listed if scene.call}
    assert shown == set(played.calls)
    for listed in played.scenes.values():
        for scene, answer in listed:
            assert (answer.http_status, '{"status":0' in answer.text) == (200, True), (scene.call, answer)


def test_every_error_has_an_example_that_is_answered_with_it(played: Played) -> None:
    assert {one.error for one, _ in played.refusals} == set(ALL[1:])
    for one, answer in played.refusals:
        last = answer.text.strip().splitlines()[-1]
        beginning, _, end = (re.escape(part) for part in one.error.zh.partition("{"))
        end = end.rpartition("\\}")[2]
        expected = rf'{{"status":{one.error.code},"message":"{beginning}.*{end}"}}'
        assert re.fullmatch(expected, last), (one.error, last)
        assert answer.http_status == one.error.http_status
        assert bool(answer.retry_after) == (
            one.error.http_status == 503 or one.error.code == errors.TooOften.code
        )


def test_every_field_of_an_answer_is_explained(played: Played) -> None:
    for suffix, language in LANGUAGES.items():
        words = "".join(
            (DOCS / f"api/{page}{suffix}.md").read_text(encoding="utf-8").partition("<!--")[0]
            for page in ("index", "meeting", "token")
        )
        explained = set(re.findall(r"`(\w+)(?:\[\])?`", words))
        shapes = played.documents[language]["components"]["schemas"]
        fields = {name for shape in shapes.values() for name in shape["properties"]}
        given = {
            "uid",
            "name",
            "content",
            "address",
            "success",
            "message",
        }  # as they were sent, or of the envelope
        assert fields - explained - given == set(), language


@pytest.mark.parametrize("suffix", LANGUAGES)
def test_every_code_of_the_table_has_its_section_and_links_lead_to_one(suffix: str) -> None:
    page = (DOCS / f"return-codes{suffix}.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| (-?\d+) \|", page, re.MULTILINE)) - {"0"}
    assert rows == set(re.findall(r"^### (-?\d+)$", page, re.MULTILINE))
    linked = set()
    for file in (DOCS / "api").glob(f"*{suffix}.md"):
        linked |= set(re.findall(rf"return-codes{re.escape(suffix)}\.md#(-?\d+)", file.read_text("utf-8")))
    assert linked <= rows
