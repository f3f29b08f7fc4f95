"""The client's page names what the client has; its examples are run by test_examples."""

import inspect
import re

from huiyao.client import AsyncPerson
from tests.documentation.blocks import DOCS


def test_the_table_has_every_method_of_a_person() -> None:
    methods = [name for name, _ in inspect.getmembers(AsyncPerson, inspect.isfunction) if name[0] != "_"]
    for page in ("client.md", "client.zh.md"):
        listed = re.findall(r"^\| `(\w+)` \|", (DOCS / page).read_text("utf-8"), re.MULTILINE)
        assert sorted(listed) == sorted(methods), page
