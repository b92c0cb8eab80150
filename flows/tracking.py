"""MLflow: the one writer that logs the items of :mod:`flows.log_items`, and the fitted model as MLflow keeps it.

Every call names its run id: MLflow's active-run stack is thread-local and nests by accident.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from cohort.dictionary import Variable
from cohort.types import Cohort
from evaluation.predictions import NO_FEATURES
from evaluation.tables import Cell
from features.feature_set import Feature
from features.registry import FEATURE_SETS
from flows.log_items import (
    NOTE_TAG,
    Files,
    FittedModel,
    Item,
    Metrics,
    ModelCard,
    Params,
    Table,
    Tags,
    UsedCohort,
    cohort_tags,
    trained_elsewhere,
)
from flows.plan import Fit
from models.procedure import FittedProcedure

_MAX_TAG = 4_900  # and values of tags of 5,000
_MAX_PARAM = 5_900  # MLflow refuses values of 6,000 characters and more


class MlflowWriter:
    """Writes the items of one benchmark: a parent run, and a child run for each cell."""

    def __init__(self, tracking_uri: str, artifacts: Path) -> None:
        # Their warnings speak of what is meant here: pickled models, a package installed in place.
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        if tracking_uri.startswith("sqlite:///"):
            Path(tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self._artifacts = artifacts if tracking_uri.startswith("sqlite:") else None
        mlflow.set_tracking_uri(tracking_uri)
        self._client = MlflowClient(tracking_uri)
        self._models: dict[str, str] = {}

    def start(
        self,
        cohort: Cohort,
        run_name: str,
        params: Mapping[str, Any],
        resume: str | None,
        trained_on: Cohort | None = None,
    ) -> str:
        """The parent run's id: ``resume`` where MLflow still has it, else a new one.

        ``trained_on`` is another cohort, from which all is learned that is judged in ``cohort``: an external validation.
        """
        self._tags = cohort_tags(cohort) | ({} if trained_on is None else trained_elsewhere(trained_on))
        self._experiment = self._find_experiment(cohort)
        if resume is not None and self._exists(resume):
            self._client.update_run(resume, status="RUNNING")
            self._client.set_tag(resume, "status", "running")
            parent = resume
        else:
            tags = {"kind": "benchmark", **self._tags, "status": "running"}
            parent = self._client.create_run(self._experiment, run_name=run_name, tags=tags).info.run_id
            note = (
                f"{cohort.caption}." if trained_on is None else f"Learned from {trained_on.caption}. Judged in {cohort.caption}."
            )
            used = [UsedCohort(c) for c in (trained_on, cohort) if c is not None]
            self.write(parent, [Params(params), *used, Tags({NOTE_TAG: note})])
        self._parent = parent
        self._logged = self._take_stock()
        return parent

    def has(self, cell: Cell) -> bool:
        """Whether the cell was logged whole by an earlier process of this benchmark."""
        return cell.name in self._logged

    def log_cell(self, cell: Cell, items: Iterable[Item]) -> None:
        """A child run named and tagged so that the UI's table, charts and comparisons are useful at once."""
        name = f"{cell.model} · {cell.feature_set} · {cell.endpoint} · {cell.population}"
        tags = {
            **self._tags,
            **cell.__dict__,
            "kind": "cell",
            "cell": cell.name,
            MLFLOW_PARENT_RUN_ID: self._parent,
        }
        run_id = self._client.create_run(self._experiment, run_name=name, tags=tags).info.run_id
        try:
            self.write(run_id, [Params(cell.__dict__), *items])
        except BaseException:
            self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id, "FINISHED")
        self._logged.add(cell.name)

    def log_reproduction(self, cohort: Cohort, run_name: str, items: Iterable[Item]) -> str:
        """A run of its own, of the kind ``reproduction``; returns its id."""
        experiment = self._find_experiment(cohort)
        tags = {**cohort_tags(cohort), "kind": "reproduction", "mlflow.source.name": "crlm reproduce"}
        run_id = str(self._client.create_run(experiment, run_name=run_name, tags=tags).info.run_id)
        try:
            self.write(run_id, items)
        except BaseException:
            self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id, "FINISHED")
        return run_id

    def finish(self, items: Iterable[Item]) -> None:
        self.write(self._parent, [*items, Tags({"status": "completed"})])
        self._client.set_terminated(self._parent, "FINISHED")

    def fail(self) -> None:
        self.write(self._parent, [Tags({"status": "failed"})])
        self._client.set_terminated(self._parent, "FAILED")

    def write(self, run_id: str, items: Iterable[Item]) -> None:
        for item in items:
            self._write(item, run_id)

    @singledispatchmethod
    def _write(self, item: Item, run_id: str) -> None:
        raise TypeError(f"cannot log {type(item).__name__}")

    @_write.register
    def _(self, item: Tags, run_id: str) -> None:
        self._client.log_batch(run_id, tags=[RunTag(k, str(v)) for k, v in item.values.items()])

    @_write.register
    def _(self, item: Params, run_id: str) -> None:
        params = [Param(k, _param(v)) for k, v in item.values.items()]
        known = self._client.get_run(run_id).data.params
        self._client.log_batch(run_id, params=[p for p in params if p.key not in known])

    @_write.register
    def _(self, item: Metrics, run_id: str) -> None:
        now = int(time.time() * 1000)
        self._client.log_batch(run_id, metrics=[Metric(k, float(v), now, 0) for k, v in item.values.items() if np.isfinite(v)])

    @_write.register
    def _(self, item: Files, run_id: str) -> None:
        if item.path.is_dir():
            self._client.log_artifacts(run_id, str(item.path), item.below or None)
        else:
            self._client.log_artifact(run_id, str(item.path), item.below or None)

    @_write.register
    def _(self, item: Table, run_id: str) -> None:
        self._client.log_text(run_id, item.table.to_csv(index=False), item.name)

    @_write.register
    def _(self, item: UsedCohort, run_id: str) -> None:
        cohort = item.cohort
        profile = {"patients": len(cohort), "variables": len(cohort.frame.columns)}
        dataset = Dataset(
            name=cohort.name,
            digest=cohort.digest,
            source_type="cohort",
            source=json.dumps({"title": cohort.title, "citation": cohort.citation}),
            profile=json.dumps(profile),
        )
        self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "benchmark")])])

    @_write.register
    def _(self, item: FittedModel, run_id: str) -> None:
        if item.fit.name not in self._models:
            # Made by hand: Model.log would file it in the default experiment, whatever the run's is.
            model = self._client.create_logged_model(
                self._experiment, name=_model_name(item.fit), source_run_id=run_id, model_type=item.fit.model
            )
            Model.log(
                artifact_path=None,
                flavor=mlflow.pyfunc,
                run_id=run_id,
                model_id=model.model_id,
                await_registration_for=0,
                pip_requirements=["crlm-benchmark"],
                **logged_model(item),
            )
            self._models[item.fit.name] = model.model_id
            self._client.set_tag(run_id, "model_id", model.model_id)
        else:
            self._client.log_outputs(run_id, models=[LoggedModelOutput(self._models[item.fit.name], step=0)])

    @_write.register
    def _(self, item: ModelCard, run_id: str) -> None:
        if item.fit_name in self._models:  # a fit that failed has no model
            self._client.set_logged_model_tags(self._models[item.fit_name], {NOTE_TAG: _shortened(item.text)})

    def _find_experiment(self, cohort: Cohort) -> str:
        name = f"crlm-{cohort.name}"
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        location = (self._artifacts / name).as_uri() if self._artifacts is not None else None
        tags = {NOTE_TAG: f"{cohort.caption}.", "mlflow.experimentKind": "custom_model_development"}
        return str(self._client.create_experiment(name, artifact_location=location, tags=tags))

    def _exists(self, run_id: str) -> bool:
        try:
            return bool(self._client.get_run(run_id).info.lifecycle_stage == "active")
        except mlflow.exceptions.MlflowException:
            return False

    def _take_stock(self) -> set[str]:
        """Cells already logged whole; child runs that a kill left unfinished are deleted."""
        logged: set[str] = set()
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent}'", max_results=1000, page_token=token
            )
            for run in page:
                if run.info.status == "FINISHED":
                    logged.add(run.data.tags["cell"])
                    if "model_id" in run.data.tags:
                        self._models[run.data.tags["fit"]] = run.data.tags["model_id"]
                else:
                    self._client.delete_run(run.info.run_id)
            token = page.token
            if not token:
                return logged


def _shortened(text: str) -> str:
    """What MLflow takes of a text; whole lines."""
    if len(text) <= _MAX_TAG:
        return text
    return text[:_MAX_TAG].rpartition("\n")[0] + "\n\n… (the whole card is among the benchmark's artifacts, in model_cards/)"


def _param(value: Any) -> str:
    text = (
        ", ".join(map(str, value))
        if isinstance(value, list | tuple)
        else f"{value:.6g}"
        if isinstance(value, float)
        else str(value)
    )
    return text[:_MAX_PARAM]


# ---- the logged model ----------------------------------------------------------------------------------------------------


class RiskPredictor(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A fitted procedure for MLflow: a table of the dictionary's variables in, one column of risk a horizon out.

    Numbers come as floats and categories as the dictionary's levels; a column may be absent, and is then missing.
    """

    def __init__(self, procedure: FittedProcedure, fit: Fit, variables: Mapping[str, Variable]) -> None:
        self.procedure, self.fit, self.variables = procedure, fit, dict(variables)

    def predict(self, context: object, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """(n, horizons) risks between 0 and 1, named ``risk_6m`` and so on."""
        predictors = self._predictors(model_input)
        return pd.DataFrame(
            {_risk_column(h): self.procedure.risk_at(predictors, h) for h in self.procedure.horizons_months},
            index=model_input.index,
        )

    def _predictors(self, table: pd.DataFrame) -> pd.DataFrame:
        if self.fit.feature_set == NO_FEATURES:
            return pd.DataFrame(index=table.index)
        features = _features_read(self.fit, self.procedure, self.variables)
        names = dict.fromkeys(name for feature in features for name in feature.inputs)
        frame = pd.DataFrame({name: self._column(table, name) for name in names}, index=table.index)
        return pd.DataFrame({f.name: frame[f.name] if f.compute is None else f.compute(frame) for f in features})

    def _column(self, table: pd.DataFrame, name: str) -> pd.Series:
        """A variable as the dictionary types it; one that the table lacks is missing for everybody."""
        raw = table[name] if name in table else pd.Series(None, index=table.index, dtype=object)
        levels = self.variables[name].levels
        if not levels:
            return raw.astype("float64")
        unknown = raw.notna() & ~raw.isin(levels)
        if unknown.any():
            raise ValueError(f"{name}: {int(unknown.sum())} values are none of its levels ({', '.join(levels)})")
        return pd.Series(pd.Categorical(raw, categories=list(levels)), index=raw.index)


def logged_model(item: FittedModel) -> dict[str, Any]:
    """The model with its signature and an input example: an average patient, nobody's row."""
    names = _inputs(item)
    frame = item.cohort.population(item.fit.population).frame[names]
    variables = item.cohort.variables
    inputs = [ColSpec("string" if variables[n].levels else "double", n, required=False) for n in names]
    example = {n: [_typical(frame[n])] for n in names}
    if not names:  # the null model only counts rows
        inputs, example = [ColSpec("string", "patient_id", required=False)], {"patient_id": ["example"]}
    outputs = [ColSpec("double", _risk_column(h)) for h in item.procedure.horizons_months]
    return {
        "python_model": RiskPredictor(item.procedure, item.fit, variables),
        "signature": ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs)),
        "input_example": pd.DataFrame(example),
    }


def _features_read(fit: Fit, procedure: FittedProcedure, variables: Mapping[str, Variable]) -> list[Feature]:
    """The features that the fit was given."""
    used = set(procedure.encoder.feature_names_in_)
    return [f for f in FEATURE_SETS[fit.feature_set].select(variables) if f.name in used]


def _inputs(item: FittedModel) -> list[str]:
    """The dictionary's variables that the fit reads."""
    if item.fit.feature_set == NO_FEATURES:
        return []
    features = _features_read(item.fit, item.procedure, item.cohort.variables)
    return list(dict.fromkeys(name for f in features for name in f.inputs))


def _typical(values: pd.Series) -> Any:
    known = values.dropna()
    return str(known.mode().iloc[0]) if values.dtype == "category" else float(known.median())


def _model_name(fit: Fit) -> str:
    """The model first: lists cut long names off. MLflow refuses slashes."""
    return f"{fit.model}-{fit.feature_set}-{fit.trained_on}-{fit.population}"


def _risk_column(horizon_months: float) -> str:
    return f"risk_{horizon_months:g}m"
