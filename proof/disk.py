"""The disk is full for a while: the SQLite file's with its log, PostgreSQL's data directory."""

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proof.cluster import Cluster
from proof.house import House, embedded, scaled
from proof.result import Row, Run
from proof.round import Moments, Told, conclude, strike

BACK_SECONDS: Final = 5.0  # from when there is room again, and PostgreSQL answers
ANSWERED_SECONDS: Final = 10.0
FULL_SECONDS: Final = (1.0, 3.0)
SQLITE_MB: Final = 600
POSTGRES_MB: Final = 1200
LEFT: Final = (
    64 * 1024
)  # bytes of the disk that the ballast leaves at first: it is a write of Huiyao's that fills it


def prove(run: Run) -> Iterator[Row]:
    times = run.times(10, 2)
    with small_disk(run.place("disk"), SQLITE_MB) as place, embedded(place) as house:
        house.serve()
        yield _fill(
            house, place, times, None, "the disk of the SQLite file and of the log was full for 1–3 s"
        )
    with small_disk(run.place("postgres"), POSTGRES_MB) as place:
        cluster = Cluster(place, configuration="max_wal_size = 64MB\nmin_wal_size = 32MB\n")
        try:
            cluster.start()
            with scaled(run.place("disk"), cluster.create("disk")) as house:
                house.serve()
                house.dispatch()
                yield _fill(
                    house,
                    place,
                    times,
                    cluster,
                    "PostgreSQL's disk was full for 1–3 s; where that ended the server, it was started again",
                )
        finally:
            cluster.remove()


def _fill(house: House, place: Path, times: int, cluster: Cluster | None, done: str) -> Row:
    luck = random.Random(done)
    told = Told()
    for _ in range(times):

        def fault() -> Moments:
            ballast = place / "ballast"
            struck = time.monotonic()
            with ballast.open("wb") as file:
                until = struck + luck.uniform(*FULL_SECONDS)
                left = LEFT
                while time.monotonic() < until:
                    room = max(0, free(place) - left)
                    with contextlib.suppress(OSError):  # somebody else was quicker
                        os.posix_fallocate(file.fileno(), file.tell(), room) if room else None
                        file.seek(0, os.SEEK_END)
                    left = 0
                    time.sleep(0.02)
            ballast.unlink()
            if cluster:
                cluster.start()
            return struck, time.monotonic()

        strike(house, told, fault, luck)
    conclude(house, told)
    return Row(
        done=done,
        times=times,
        counted=told.counted(),
        wrong=tuple(told.wrong),
        measures=told.measures(back=BACK_SECONDS, answered=ANSWERED_SECONDS),
    )


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own in memory, mounted there; only root can do that."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(place)], check=True
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def free(place: Path) -> int:
    """Bytes."""
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize
