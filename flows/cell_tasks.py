"""Cells as Prefect tasks, in an order that keeps all workers busy to the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from evaluation.tables import Cell, CellResult
from flows.plan import Plan


class Evaluated(Protocol):
    """A cell that was done."""

    @property
    def result(self) -> CellResult: ...


Done = TypeVar("Done", bound=Evaluated)

#: The threads only wait for the pool; `in_order` bounds how many do.
WAITING_THREADS = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=64))


@task(name="cell", task_run_name="{name}", cache_policy=NO_CACHE)
def run_cell(name: str, do: Callable[[], tuple[Evaluated, bool]]) -> State[Evaluated]:
    """Fit (unless the fit is in the store) and evaluate one cell, in a worker process."""
    evaluated, reused = do()
    if reused:
        return Completed(name="Cached", message="finished by an earlier run", data=evaluated)
    return Completed(message=f"{evaluated.result.status} {evaluated.result.note}".strip(), data=evaluated)


def in_order(plan: Plan, do: Callable[[Cell], tuple[Done, bool]], at_once: int) -> Iterator[tuple[Cell, Done, bool]]:
    """One Prefect task a cell, longest first, at most ``at_once`` under way; cells that share a fit follow the first of them."""
    waiting = deque(plan.cells_of(fit)[0] for fit in plan.fits)
    under_way: dict[PrefectFuture[Any], Cell] = {}
    while waiting or under_way:
        while waiting and len(under_way) < at_once:
            cell = waiting.popleft()
            under_way[run_cell.submit(cell.name, partial(do, cell))] = cell
        future = next(iter(as_completed(list(under_way))))
        cell = under_way.pop(future)
        siblings = plan.cells_of(plan.cells[cell])
        if cell == siblings[0]:
            waiting.extendleft(reversed(siblings[1:]))
        yield cell, future.result(), future.state.name == "Cached"
