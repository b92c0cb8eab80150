"""Settings that must stand before Prefect, MLflow and the numerical libraries are imported."""

from __future__ import annotations

import os
from pathlib import Path

_DEFAULTS = {
    # One thread a model: at a few hundred patients a second thread makes XGBoost four times slower.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # A hospital's machine sends nothing out.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # MLflow would quote the rows that a model's signature refuses.
    "MLFLOW_DISABLE_SCHEMA_DETAILS": "true",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Without a server of its own a run starts one; on a busy machine Prefect's 20 seconds are too few.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}


def prepare_environment() -> None:
    """Set defaults; what the user has set stays."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def workspace() -> Path:
    """The folder of ``runs/`` and ``mlruns/``: ``CRLM_WORKSPACE``, else the current directory."""
    return Path(os.environ.get("CRLM_WORKSPACE") or Path.cwd()).resolve()


def tracking_uri() -> str:
    """MLflow's store: ``MLFLOW_TRACKING_URI``, else SQLite in the workspace."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace() / 'mlruns' / 'mlflow.db'}"
