"""What a program of the proof does in a thread beside what it measures."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(do: Callable[[], None], *, pause_seconds: float = 0.0) -> Iterator[None]:
    """Again and again for as long as the block lasts, with a pause before each; what it raised is raised at the end."""
    over = threading.Event()
    failures: list[Exception] = []

    def run() -> None:
        try:
            while not over.wait(pause_seconds):
                do()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="repeating")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]
