"""The columns of tables: what most of them are."""

from sqlalchemy import BigInteger, Column, SmallInteger, Text


def number(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


def small(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False)


def text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)
