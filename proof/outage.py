"""PostgreSQL is killed with -9 and started again, under a `serve` and a `dispatch` that nobody touches."""

import random
import time
from collections.abc import Iterator
from typing import Final

from proof.cluster import Cluster
from proof.house import scaled
from proof.result import Row, Run
from proof.round import Moments, Told, conclude, strike

BACK_SECONDS: Final = 5.0  # from when PostgreSQL answers again
ANSWERED_SECONDS: Final = 10.0
AWAY_SECONDS: Final = (0.0, 4.0)


def prove(run: Run) -> Iterator[Row]:
    times = run.times(20, 3)
    luck = random.Random("outage")
    told = Told()
    cluster = Cluster(run.place("postgres"))
    try:
        cluster.start()
        with scaled(run.place("outage"), cluster.create("outage")) as house:
            house.serve()
            house.dispatch()
            for _ in range(times):

                def fault() -> Moments:
                    cluster.kill()
                    struck = time.monotonic()
                    time.sleep(luck.uniform(*AWAY_SECONDS))
                    cluster.start()
                    return struck, time.monotonic()

                strike(house, told, fault, luck)
            conclude(house, told)
    finally:
        cluster.remove()
    yield Row(
        done="PostgreSQL was killed with -9 under load, was away for up to 4 s, and was started again",
        times=times,
        counted=told.counted(),
        wrong=tuple(told.wrong),
        measures=told.measures(back=BACK_SECONDS, answered=ANSWERED_SECONDS),
    )
