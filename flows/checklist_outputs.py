"""The checklists of a run as files."""

from __future__ import annotations

from pathlib import Path

from evaluation.report import ReportData
from evaluation.report_checklists import checklists, probast_table, tripod_table
from flows.folders import write_atomically

TRIPOD, PROBAST = "tripod_ai.csv", "probast_ai.csv"


def write_checklists(data: ReportData, folder: Path) -> tuple[str, ...]:
    """Both as csv; their names."""
    filled = checklists(data)
    write_atomically(folder / TRIPOD, tripod_table(filled).to_csv(index=False))
    write_atomically(folder / PROBAST, probast_table(filled).to_csv(index=False))
    return TRIPOD, PROBAST
