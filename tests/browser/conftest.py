"""One Chromium and one server for each test process; a browser of its own for everybody in a test."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.acceptance.conftest import prepared, prepared_url, scaled
from tests.acceptance.process import Client, Installation, Server, free_port
from tests.browser.browsing import LOOKS, Look, launch
from tests.browser.workbench import Workbench

__all__ = ["prepared", "prepared_url", "scaled"]  # fixtures of the acceptance tests


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Of Debian. Not for the whole session: Playwright's loop would be in the way of other tests' loops."""
    with sync_playwright() as playwright, closing(launch(playwright)) as browser:
        yield browser


@pytest.fixture(scope="package")
def running(
    prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, Server, Client]]:
    """A SQLite installation whose app may issue tickets, and whose texts are only recorded."""
    folder = tmp_path_factory.mktemp("workbench")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    with closing(Installation(folder)) as made:
        made.succeed("app", "set", str(made.app_id), "--grant", "ticket")
        port = free_port()
        server = made.serve(port=port, public_url=f"http://127.0.0.1:{port}")
        yield made, server, made.client(server)


@pytest.fixture
def workbench(running: tuple[Installation, Server, Client], chromium: Browser) -> Iterator[Workbench]:
    installation, server, client = running
    found = Workbench(installation, chromium, server, client)
    with found.looked_at():
        yield found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each flow is walked in one look for each change, by turns a Chinese phone and an English desk; else on demand."""
    phone, desk = LOOKS[0], LOOKS[3]
    looks: dict[str, dict[Look, pytest.Item]] = {}
    for item in items:
        call = getattr(item, "callspec", None)
        if call is not None and isinstance(call.params.get("look"), Look):
            looks.setdefault(item.nodeid.partition("[")[0], {})[call.params["look"]] = item
    for turn, walks in enumerate(looks.values()):
        spared = set(LOOKS[1:3])
        if phone in walks and desk in walks:
            spared.add(phone if turn % 2 else desk)
        for look in spared & walks.keys():
            walks[look].add_marker(pytest.mark.thorough)
