"""Cohort files for external validations in tests."""

from __future__ import annotations

from pathlib import Path

import yaml

from cohort.simulate import simulate_cohort


def simulated_files(
    folder: Path, name: str, n: int, seed: int, without: tuple[str, ...] = (), signal: float = 0.5
) -> tuple[str, str]:
    """Contract and csv of a simulated cohort, whose columns are named as in the dictionary."""
    frame = simulate_cohort(n, signal=signal, seed=seed).cohort.frame.drop(columns=list(without))
    frame["patient_id"] = [f"{name.upper()}{i:04d}" for i in range(n)]
    frame.assign(dfs_event=frame["dfs_event"].astype(int), os_event=frame["os_event"].astype(int)).to_csv(
        folder / f"{name}.csv", index=False
    )
    contract = {"name": name, "title": f"Simulated {name}", "evidence": "simulated", "columns": {c: c for c in frame.columns}}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({**contract, "missing": [""]}, sort_keys=False))
    return str(folder / f"{name}.yaml"), str(folder / f"{name}.csv")
