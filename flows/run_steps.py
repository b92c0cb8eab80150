"""Steps that the benchmark's and the external validation's flows share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from prefect.logging import get_run_logger

from evaluation.leak_audit import LeakSuspected
from evaluation.tables import Cell
from flows.cell_store import run_fingerprint
from flows.cell_tasks import Evaluated, in_order
from flows.compute import ComputePool
from flows.environment import workspace
from flows.log_items import Item
from flows.plan import Plan
from flows.progress import BenchmarkProgress
from flows.run_directory import RunDirectory
from flows.tracking import MlflowWriter

Done = TypeVar("Done", bound=Evaluated)


class Cells(Protocol[Done]):
    """The cells of one run, and how each is done."""

    plan: Plan

    @property
    def total_cost(self) -> float: ...
    @property
    def cost_held(self) -> float: ...

    def cost(self, cell: Cell) -> float: ...
    def do(self, cell: Cell, pool: ComputePool) -> tuple[Done, bool]: ...
    def items(self, done: Done) -> Iterator[Item]: ...


def open_run(flow: str, label: str, made_from: Mapping[str, Any]) -> RunDirectory:
    """The run's folder; an interrupted run ``made_from`` the same, by the same code, is continued."""
    run = RunDirectory.open(workspace() / "runs" / flow, run_fingerprint(made_from), label)
    get_run_logger().info("%s run %s", "continuing the interrupted" if run.resumed else "new", run.name)
    return run


def refuse_or_warn(findings: Iterable[str], on_leak: str) -> tuple[str, ...]:
    """Suspected leaks stop the run, or become warnings where the configuration says so (``on_leak``: refuse, warn)."""
    found = tuple(dict.fromkeys(findings))
    if found and on_leak == "refuse":
        raise LeakSuspected(
            "predictors that discriminate better than the field's best models:\n"
            + "\n".join(f"  - {finding}" for finding in found)
            + "\nIf a column is known only later, declare its known_at in the contract; if it is right, run with on_leak: warn."
        )
    for finding in found:
        get_run_logger().warning("suspected leak: %s", finding)
    return tuple(f"suspected leak: {finding}" for finding in found)


def do_cells(
    cells: Cells[Done], pool: ComputePool, writer: MlflowWriter, at_once: int, title: str
) -> tuple[dict[Cell, Done], int]:
    """Every cell, each logged as soon as it is done. Returns them and how many were reused."""
    done: dict[Cell, Done] = {}
    reused = 0
    with BenchmarkProgress(cells.total_cost, cells.cost_held, title) as progress:
        for cell, result, was_held in in_order(cells.plan, lambda cell: cells.do(cell, pool), at_once):
            done[cell] = result
            reused += was_held
            if not writer.has(cell):
                writer.log_cell(cell, cells.items(result))
            progress.advance(cells.cost(cell), cell.name)
    return done, reused
