"""What several files here share: one MLflow store, because making one takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from evaluation.tables import Cell
    from flows.tracking import MlflowWriter


@dataclass
class MlflowStore:
    """A real store. Each test takes an experiment of its own by its cohort's name."""

    uri: str
    artifacts: Path

    def writer(self) -> MlflowWriter:
        from flows.tracking import MlflowWriter

        return MlflowWriter(self.uri, self.artifacts)

    @property
    def client(self) -> MlflowClient:
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    def children(self, parent: str) -> list[Run]:
        run = self.client.get_run(parent)
        return list(self.client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'"))

    def child(self, parent: str, cell: Cell) -> Run:
        [run] = [r for r in self.children(parent) if r.data.tags["cell"] == cell.name]
        return run


@pytest.fixture(scope="session")
def mlflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def mlflow_store(mlflow_folder: Path) -> Iterator[MlflowStore]:
    import mlflow

    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.chdir(mlflow_folder)  # MLflow makes its default experiment's folder where it is started
        yield MlflowStore(f"sqlite:///{mlflow_folder}/mlruns/mlflow.db", mlflow_folder / "artifacts")
    mlflow.set_tracking_uri(before)
