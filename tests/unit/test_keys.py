"""Keys derived from the server key, sealed secrets, and the key file of an embedded database."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from huiyao import keys
from huiyao.errors import OperatorError
from huiyao.keys import Keys
from huiyao.settings import Settings

SERVER_KEY = "a server key of thirty-two chars"
CHECK_OF_SERVER_KEY = "5d75c559808c1db91ea98d8f083767db"


def test_a_sealed_secret_opens_for_its_app_only() -> None:
    sealed = Keys.from_text(SERVER_KEY).seal("密 secret", app_id=7)
    assert b"secret" not in sealed
    assert Keys.from_text(SERVER_KEY).unseal(sealed, app_id=7) == "密 secret"
    with pytest.raises(OperatorError, match="app 8"):
        Keys.from_text(SERVER_KEY).unseal(sealed, app_id=8)


@pytest.mark.parametrize("spoilt", [b"", b"short", None])
def test_what_was_not_sealed_under_this_key_is_refused(spoilt: bytes | None) -> None:
    sealed = Keys.from_text("another " + SERVER_KEY).seal("secret", app_id=7) if spoilt is None else spoilt
    with pytest.raises(OperatorError):
        Keys.from_text(SERVER_KEY).unseal(sealed, app_id=7)


def test_the_same_secret_never_looks_the_same() -> None:
    ours = Keys.from_text(SERVER_KEY)
    assert ours.seal("secret", app_id=7) != ours.seal("secret", app_id=7)


def test_derived_keys_are_the_same_at_each_start_and_tell_nothing_of_each_other() -> None:
    one, again, other = (Keys.from_text(text) for text in (SERVER_KEY, SERVER_KEY, SERVER_KEY + "."))
    assert len(one.token_key) == len(one.report_key) == 32
    assert (one.token_key, one.report_key, one.check) == (again.token_key, again.report_key, again.check)
    assert len({one.token_key, one.report_key, other.token_key, other.report_key}) == 4
    assert one.check != other.check
    assert one.check not in one.token_key.hex()


def test_derivation_never_changes_since_databases_depend_on_it() -> None:
    assert Keys.from_text(SERVER_KEY).check == CHECK_OF_SERVER_KEY


def test_a_short_server_key_is_refused() -> None:
    with pytest.raises(OperatorError, match="32 characters"):
        Keys.from_text(SERVER_KEY[1:])


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "huiyao.db.key"
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: keys.make(path), range(8)))
    assert made == {path.read_text().strip()}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_file_is_replaced_and_old_drafts_go(tmp_path: Path) -> None:
    path = tmp_path / "huiyao.db.key"
    keys.make(path)
    kept = [tmp_path / name for name in ("huiyao.db.key.bak", ".huiyao.db.key.young.draft")]
    stale = tmp_path / ".huiyao.db.key.abc.draft"
    for file in (*kept, stale):
        file.write_text("x")
    os.utime(stale, (0, 0))
    keys.replace(path, SERVER_KEY)
    assert path.read_text() == f"{SERVER_KEY}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(tmp_path.iterdir()) == sorted([path, *kept])


def test_the_key_that_is_set_wins_over_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/huiyao.db"
    assert keys.find(Settings(database_url=url)) is None
    made = keys.make(keys.key_file(Settings(database_url=url)))
    assert keys.find(Settings(database_url=url)) == made
    assert keys.find(Settings(database_url=url, key=SERVER_KEY)) == SERVER_KEY


def test_on_postgresql_the_key_must_be_set() -> None:
    with pytest.raises(OperatorError, match="HUIYAO_KEY is not set"):
        keys.find(Settings(database_url="postgresql://h/d"))
