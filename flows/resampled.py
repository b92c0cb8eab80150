"""What the bootstrap of whole procedures left in the cells' folders, gathered for the run: three tables, and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from evaluation.report_optimism import KEYS, Resampled
from evaluation.report_summary import CellKey
from evaluation.tables import Cell
from flows.folders import write_atomically

OPTIMISM, STABILITY, SELECTION = "optimism.csv", "stability.csv", "selection.csv"
STABILITY_FIGURE, SELECTION_FIGURE = "stability.png", "selection.png"
#: Below a cell's folder.
RESAMPLED = "resampled"


def gather_resampled(cells: Iterable[Cell], folder: Path) -> Resampled:
    """The tables of all ``cells`` with the cell's names before them, in the order given; empty where nothing was refitted."""
    cells = list(cells)
    tables = {
        name: [t for cell in cells if (t := _table(cell, folder, name)) is not None] for name in (OPTIMISM, STABILITY, SELECTION)
    }
    empty = Resampled()
    return replace(
        empty,
        optimism=_joined(tables[OPTIMISM], empty.optimism),
        stability=_joined(tables[STABILITY], empty.stability),
        selection=_joined(tables[SELECTION], empty.selection),
        stability_figures=_figures(cells, folder, STABILITY_FIGURE),
        selection_figures=_figures(cells, folder, SELECTION_FIGURE),
    )


def write_resampled(resampled: Resampled, folder: Path) -> tuple[Path, ...]:
    """The three tables as files; none where nothing was refitted."""
    if resampled.optimism.empty:
        return ()
    files = {OPTIMISM: resampled.optimism, STABILITY: resampled.stability, SELECTION: resampled.selection}
    for name, table in files.items():
        write_atomically(folder / name, table.to_csv(index=False))
    return tuple(folder / name for name in files)


def corrected_metrics(folder: Path) -> dict[str, float]:
    """For MLflow: ``corrected/auc/6_months``, its bounds below ``interval/``, ``plus_632/auc/6_months``, ``stability/…``."""
    values: dict[str, float] = {}
    if not (folder / RESAMPLED / OPTIMISM).exists():
        return values
    for row in pd.read_csv(folder / RESAMPLED / OPTIMISM).to_dict("records"):
        metric, months = row["metric"], f"{row['horizon_months']:g}_months"
        values |= {f"corrected/{metric}/{months}": row["corrected"], f"plus_632/{metric}/{months}": row["estimate_632_plus"]}
        bounds = f"interval/corrected_{metric}_{months}"
        values |= {f"{bounds}_low": row["ci_low"], f"{bounds}_high": row["ci_high"]}
    [steadiness] = pd.read_csv(folder / RESAMPLED / STABILITY).to_dict("records")
    return values | {f"stability/{name}": steadiness[name] for name in ("mape_mean", "reclassified_observed", "ici_median")}


def _table(cell: Cell, folder: Path, name: str) -> pd.DataFrame | None:
    path = folder / cell.name / RESAMPLED / name
    if not path.exists():
        return None
    table = pd.read_csv(path)
    names: Mapping[str, str] = asdict(cell)
    return table.assign(**names)[[*KEYS, *table.columns]]


def _joined(tables: list[pd.DataFrame], empty: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else empty


def _figures(cells: Iterable[Cell], folder: Path, name: str) -> dict[CellKey, bytes]:
    paths = {(c.population, c.endpoint, c.feature_set, c.model): folder / c.name / RESAMPLED / name for c in cells}
    return {key: path.read_bytes() for key, path in paths.items() if path.exists()}
