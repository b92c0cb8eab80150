"""The pool of worker processes: work is done elsewhere, errors come back, nothing outlives a killed parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from cohort.simulate import simulate_cohort
from flows.cell_store import CellStore
from flows.compute import ComputePool
from flows.config import BenchmarkConfig
from flows.plan import Fit
from flows.work import run_fit

COHORT = simulate_cohort(60, seed=2).cohort
PARENT = """
import os, time
from cohort.simulate import simulate_cohort
from flows.compute import ComputePool

if __name__ == "__main__":
    with ComputePool(2, simulate_cohort(20).cohort) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        for _ in range(2):
            pool.submit(time.sleep, 600)
        time.sleep(600)
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[ComputePool]:
    with ComputePool(2, COHORT) as pool:
        yield pool


def test_work_is_done_in_other_processes_at_once(pool: ComputePool) -> None:
    pids = set()
    for _ in range(20):  # until both have been seen: which worker takes a job is chance
        jobs = [(pool.submit(time.sleep, 0.05), pool.submit(os.getpid)) for _ in range(2)]
        pids |= {pid.result() for _, pid in jobs}

    assert len(pids) == 2
    assert os.getpid() not in pids


def test_workers_hold_the_cohort(pool: ComputePool, tmp_path: Path) -> None:
    config = BenchmarkConfig(preset="smoke", n_folds=2)
    store = CellStore(tmp_path)
    key = pool.submit(run_fit, Fit("overall", "dfs", "none", "null_model"), config, store, "key").result()

    assert store.holds(key)
    assert set(store.predictions(key)["patient_id"]) == set(COHORT.patient_ids)


def test_error_in_a_worker_comes_back_and_the_pool_lives(pool: ComputePool) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        pool.submit(int, "no number").result()

    assert pool.submit(int, "7").result() == 7


def test_error_in_the_block_cancels_what_is_queued() -> None:
    short = ComputePool(1, COHORT)
    queued: list[Future[None]] = []

    def fail() -> None:
        with short:
            queued.extend(short.submit(time.sleep, 0.5) for _ in range(20))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    deadline = time.monotonic() + 5
    while not all(job.done() for job in queued) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert all(job.done() for job in queued)
    assert sum(job.cancelled() for job in queued) >= 15, "some were on their way to the worker"


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    with parent:
        worker = int(parent.stdout.readline())
        family = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
        _, alive = psutil.wait_procs(family, timeout=10)
    for survivor in alive:
        survivor.kill()

    assert worker in {p.pid for p in family}
    assert not alive
