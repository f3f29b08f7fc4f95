"""`serve` is killed with -9 in the middle of its work, on SQLite, and on PostgreSQL with `dispatch` beside it."""

import random
import time
from collections.abc import Iterator
from typing import Final

from proof.cluster import Cluster
from proof.house import House, embedded, scaled
from proof.result import Measure, Row, Run
from proof.round import Moments, Told, conclude, strike

BACK_SECONDS: Final = 5.0  # "within seconds", with the start of the process
ANSWERED_SECONDS: Final = 5.0


def prove(run: Run) -> Iterator[Row]:
    times = run.times(50, 3)
    with embedded(run.place("kill")) as house:
        yield _kill(house, times, "`serve` on SQLite was killed with -9 under load and started again")
    cluster = Cluster(run.place("postgres"))
    try:
        cluster.start()
        with scaled(run.place("kill"), cluster.create("kill")) as house:
            yield _kill(
                house,
                times,
                "`serve` on PostgreSQL was killed with -9 under load and started again, `dispatch` every other time",
            )
    finally:
        cluster.remove()


def _kill(house: House, times: int, done: str) -> Row:
    luck = random.Random(done)
    told = Told()
    port = house.serve().port
    if not house.embedded:
        house.dispatch()
    for number in range(times):

        def fault(also: bool = bool(house.dispatchers) and number % 2 == 1) -> Moments:
            if also:
                house.dispatchers[0].kill()
                time.sleep(luck.uniform(0, 0.2))
            house.servers[port].kill()
            struck = time.monotonic()
            if also:
                house.dispatch()
            house.serve(port)
            return struck, struck

        strike(house, told, fault, luck)
    repeated = conclude(house, told)
    return Row(
        done=done,
        times=times,
        counted=told.counted(),
        wrong=tuple(told.wrong),
        measures=(
            *told.measures(back=BACK_SECONDS, answered=ANSWERED_SECONDS),
            Measure(what="texts that came twice", value=repeated),
        ),
    )
