"""The leader of two PostgreSQL servers under Patroni dies, again and again, the two of them in turn."""

import random
import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from proof.house import scaled
from proof.patroni import PACKAGES, Pair, missing
from proof.result import Row, Run
from proof.round import Moments, Told, conclude, strike

BACK_SECONDS: Final = 30.0
ANSWERED_SECONDS: Final = 10.0
FROZEN_SECONDS: Final = (4.5, 8.0)  # longer than Huiyao waits for a COMMIT, and looks after it


def prove(run: Run) -> Iterator[Row]:
    lacking = missing()
    if lacking:
        yield Row(
            done="failover under Patroni",
            times=0,
            wrong=(f"{', '.join(lacking)} is missing: apt-get install {PACKAGES}",),
        )
        return
    times = run.times(6, 2)
    pair = Pair(run.place("patroni"))
    try:
        pair.start()
        with scaled(run.place("failover"), pair.create("huiyao")) as house:
            house.serve()
            house.dispatch()
            for frozen in (False, True):
                luck = random.Random(f"failover {frozen}")
                told = Told()
                for _ in range(times):
                    strike(house, told, partial(_fail, pair, luck, frozen=frozen), luck)
                    for node in pair.nodes:
                        if node.popen is None or node.popen.poll() is not None:
                            node.start()
                    pair.wait_until_whole()
                conclude(house, told)
                done = "the leader died with Patroni (-9 to all of it), and came back as the standby"
                yield Row(
                    done=f"{done}; before that the standby stood still for 4.5–8 s and lost what it had not taken"
                    if frozen
                    else done,
                    times=times,
                    counted=told.counted(),
                    wrong=tuple(told.wrong),
                    measures=told.measures(back=BACK_SECONDS, answered=ANSWERED_SECONDS),
                )
    finally:
        pair.remove()


def _fail(pair: Pair, luck: random.Random, *, frozen: bool) -> Moments:
    leader, standby = pair.leader, pair.standby
    if frozen:
        standby.freeze()
        time.sleep(luck.uniform(*FROZEN_SECONDS))
    leader.kill()
    struck = time.monotonic()
    if frozen:
        standby.thaw()
    return struck, struck
