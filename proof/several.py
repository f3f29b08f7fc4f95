"""Four `serve` and four `dispatch` on one PostgreSQL; any of them is killed with -9 at any moment and started again."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from bench.report import quantile
from proof import records
from proof.calls import Outcome
from proof.cluster import Cluster
from proof.house import House, scaled
from proof.load import Load
from proof.result import Measure, Row, Run
from proof.round import Told, conclude
from tests.acceptance.process import eventually

EACH: Final = 4
PAUSE_SECONDS: Final = (0.2, 1.5)  # between two kills
CLIENTS: Final = 24
QUOTA: Final = 100_000_000  # never reached: what is counted is what is taken of it
BLOCK: Final = 1000  # of it, which one process holds at the most
ANSWERED_SECONDS: Final = 10.0


def prove(run: Run) -> Iterator[Row]:
    times = run.times(60, 6)
    cluster = Cluster(run.place("postgres"))
    try:
        cluster.start()
        with scaled(run.place("several"), cluster.create("several")) as house:
            house.installation.succeed("app", "set", str(house.installation.app_id), "--quota", str(QUOTA))
            for number in range(EACH):
                house.serve()
                house.dispatch(number)
            yield _several(house, times)
    finally:
        cluster.remove()


def _several(house: House, times: int) -> Row:
    luck = random.Random("several")
    told = Told()
    load = house.load(clients=CLIENTS)
    load.start()
    served = 0
    coming: list[Future[object]] = []
    with ThreadPoolExecutor(2) as starters:
        try:
            for _ in range(times):
                time.sleep(luck.uniform(*PAUSE_SECONDS))
                # Whatever comes back meanwhile is no victim: it has not gone yet.
                victims = [port for port in house.ports if house.servers[port].popen.poll() is None]
                others = [one for one in house.dispatchers if house.dispatchers[one].popen.poll() is None]
                victim = luck.choice([*victims, *others])
                if victim in house.servers:
                    served += 1
                    house.servers[victim].kill()
                    coming.append(starters.submit(house.serve, victim))
                else:
                    house.dispatchers[victim].kill()
                    coming.append(starters.submit(house.dispatch, victim))
            for one in coming:
                one.result()
            mended = time.monotonic()
            back = eventually(lambda: load.done_since(mended), seconds=60, what="a call that is done")
        finally:
            load.stop()
    told.count(load)
    told.wrong += load.faults
    repeated = conclude(house, told)
    told.wrong += quota_faults(house, load, processes=EACH + served)
    answered = [one.seconds for one in load.attempts if one.outcome is not Outcome.AWAY]
    return Row(
        done=(
            f"of {EACH} `serve` and {EACH} `dispatch` on one PostgreSQL one was killed with -9 about every second,"
            " and started again"
        ),
        times=times,
        counted=told.counted(),
        wrong=tuple(told.wrong),
        measures=(
            Measure(what="back after the last start", value=round(back - mended, 3), unit="s", at_most=5),
            Measure(what="answers, p99", value=round(quantile(answered, 99), 3), unit="s"),
            Measure(
                what="answers, slowest", value=round(max(answered), 3), unit="s", at_most=ANSWERED_SECONDS
            ),
            Measure(what="texts that came twice", value=repeated),
        ),
    )


def quota_faults(house: House, load: Load, *, processes: int) -> list[str]:
    """Where fewer calls of the quota are taken than were made, or more than that and a block of each process."""
    ((taken,),) = records.fetch(house.url, "SELECT sum(taken)::bigint FROM quota")[0]
    made = load.count(Outcome.DONE, Outcome.FAILED)
    most = made + load.count(Outcome.UNKNOWN, Outcome.HUNG) + BLOCK * processes
    if made <= taken <= most:
        return []
    return [f"{taken} calls were taken of the quota, where {made} to {most} would be right"]
