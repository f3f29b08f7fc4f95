"""A database URL that names several servers means the one of them that takes writes."""

import pytest

from huiyao.storage.postgres.connections import servers


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db:5432/huiyao",
        "postgresql:///huiyao?host=/run/postgresql",
        "postgresql://[::1]:5432/h",
    ],
)
def test_one_server_is_left_as_it_is(url: str) -> None:
    assert servers(url) == [url]


def test_of_several_each_is_asked_for_writes() -> None:
    assert servers("postgresql://u:p%2C@one:5432,[::1]:5433/huiyao?sslmode=require") == [
        "postgresql://u:p%2C@one:5432/huiyao?sslmode=require&target_session_attrs=read-write",
        "postgresql://u:p%2C@[::1]:5433/huiyao?sslmode=require&target_session_attrs=read-write",
    ]


def test_what_the_url_says_of_the_sessions_it_wants_holds() -> None:
    assert servers("postgresql://one,two/huiyao?target_session_attrs=any") == [
        "postgresql://one/huiyao?target_session_attrs=any",
        "postgresql://two/huiyao?target_session_attrs=any",
    ]
