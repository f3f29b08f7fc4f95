"""Chooses the backend by the database's URL, and loads only that one: either takes as long as all else of a command."""

from huiyao.errors import OperatorError
from huiyao.storage.contract import Storage

MAX_WAITING = 2000


async def open_storage(url: str, *, max_waiting: int = MAX_WAITING) -> Storage:
    """The database behind the URL, which must have its tables already.

    More than `max_waiting` Changes waiting answer Overloaded. Raises OperatorError where the URL is of no known kind
    or the database cannot be opened.
    """
    if url.startswith("sqlite:///"):
        from huiyao.storage.sqlite import open_sqlite  # noqa: PLC0415

        return await open_sqlite(url.removeprefix("sqlite:///"), max_waiting=max_waiting)
    if url.startswith(("postgresql://", "postgres://")):
        from huiyao.storage.postgres import open_postgres  # noqa: PLC0415

        return await open_postgres(url, max_waiting=max_waiting)
    raise OperatorError("The database URL must begin with sqlite:/// or postgresql://.")
