"""The pool of worker processes. Prefect's tasks wait in threads; the work is done here, one thread a process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from cohort.types import Cohort
from flows import work

P = ParamSpec("P")
R = TypeVar("R")


class ComputePool:
    """``n_workers`` processes that hold the cohorts. Workers are forked from one server that has imported the libraries."""

    def __init__(self, n_workers: int, *cohorts: Cohort, initialise: Callable[..., None] = work.initialise) -> None:
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload(["flows.work"])
        self._executor = ProcessPoolExecutor(n_workers, mp_context=context, initializer=initialise, initargs=cohorts)
        for _ in range(n_workers):  # begin importing at once, while the caller does other things
            self._executor.submit(work.ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._executor.shutdown(wait=error is None, cancel_futures=True)

    def submit(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        return self._executor.submit(function, *args, **kwargs)
