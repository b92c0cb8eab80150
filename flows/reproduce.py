"""The paper's whole analysis on a cohort and, where the paper's numbers are about it, beside them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from cohort.errors import CohortError
from cohort.load import DEFAULT_COHORT, load_cohort
from cohort.reconstruct import published
from cohort.types import POPULATIONS, Cohort
from evaluation.effects import left_out_covariates, paper_effects
from evaluation.facts import chi_squared_p, early_relapse, relapsed
from evaluation.facts import facts as text_facts
from evaluation.figures import png
from evaluation.published_audit import audit
from evaluation.reproduction import (
    compare_effects,
    compare_facts,
    compare_table1,
    selection_table,
    summary,
)
from evaluation.reproduction_figures import comparison_figure, forest_figure, pattern_figure, survival_figure
from evaluation.reproduction_report import REGRESSION_TABLES, ReproductionData, render_reproduction
from evaluation.survival_curves import pattern_table, survival_figures
from evaluation.table1 import left_out as left_out_of_table1
from evaluation.table1 import table1 as describe_table1
from flows.cell_store import run_fingerprint
from flows.environment import tracking_uri, workspace
from flows.folders import write_atomically
from flows.log_items import reproduction_items
from flows.outputs import provenance
from flows.run_directory import RunDirectory
from flows.tracking import MlflowWriter

#: Cohorts that the published tables describe.
DESCRIBED_BY_THE_PAPER = (DEFAULT_COHORT,)

REPORT = "reproduction.html"


@dataclass(frozen=True, eq=False)
class Analysis:
    """The tables of one cohort; those compared with print are None where the paper is about other patients."""

    effects: pd.DataFrame
    table1: pd.DataFrame
    facts: pd.DataFrame
    selection: pd.DataFrame
    left_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Published numbers beside ours, the audit of print, and the bar."""

    effects: pd.DataFrame
    table1: pd.DataFrame
    facts: pd.DataFrame
    audit: pd.DataFrame
    summary: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Reproduction:
    """What a run found, and where its files are."""

    folder: Path
    analysis: Analysis
    comparison: Comparison | None


@flow(name="reproduce", description="The paper's whole analysis, compared number by number.", persist_result=False)
def reproduce(cohort: str = DEFAULT_COHORT, data: str | None = None) -> Reproduction:
    """Load and check, analyse, compare, draw, write, log."""
    started = time.monotonic()
    patients = load_cohort(cohort, data)
    analysis = analyse(patients)
    comparison = compare_with_print(analysis) if described_by_the_paper(patients) else None
    figures, reasons = draw(patients, analysis, comparison)
    fingerprint = run_fingerprint({"cohort": patients.identity})
    run = RunDirectory.open(workspace() / "runs" / "reproduce", fingerprint, patients.name)
    try:
        analysis = Analysis(analysis.effects, analysis.table1, analysis.facts, analysis.selection, (*analysis.left_out, *reasons))
        files = write_files(run, patients, analysis, comparison, figures, time.monotonic() - started)
        log_reproduction(run.name, patients, comparison, files)
        if comparison is not None:
            publish_bar(comparison, patients)
        run.complete()
    except BaseException:
        run.update(status="failed")
        raise
    finally:
        run.close()
    return Reproduction(run.path, analysis, comparison)


def described_by_the_paper(cohort: Cohort) -> bool:
    """By name and by evidence: a contract of real patients may have any name."""
    return cohort.name in DESCRIBED_BY_THE_PAPER and cohort.evidence == "reconstructed"


@task(name="analyse", cache_policy=NO_CACHE)
def analyse(cohort: Cohort) -> Analysis:
    """All tables of the paper, for all populations that the cohort can form; the reasons for what it cannot."""
    tables: list[pd.DataFrame] = []
    left_out = _grouped("Table 1", ((name, "not recorded") for name in left_out_of_table1(cohort)))
    for population in POPULATIONS:
        try:
            tables.append(paper_effects(cohort, population))
            left_out += _grouped(f"Covariates ({population})", left_out_covariates(cohort, population))
        except CohortError as error:
            left_out.append(f"Population {population}: {error}")
    if not tables:
        raise CohortError("; ".join(left_out))
    effects = pd.concat(tables, ignore_index=True)
    numbers = text_facts(cohort, effects)
    left_out += _grouped("Numbers of the text", ((row["fact"], row["note"]) for _, row in numbers.iterrows() if row["note"]))
    return Analysis(effects, describe_table1(cohort), numbers, selection_table(effects, published.effects()), tuple(left_out))


def _grouped(what: str, reasons: Iterable[tuple[str, str]]) -> list[str]:
    """One line a reason, with all that it concerns; that something is not recorded is one reason."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons:
        absent = reason.startswith("the cohort does not record")
        names.setdefault("needs what the cohort does not record" if absent else reason, []).append(name)
    return [f"{what}: {', '.join(concerned)}: {reason}" for reason, concerned in names.items()]


@task(name="compare-with-print", cache_policy=NO_CACHE)
def compare_with_print(analysis: Analysis) -> Comparison:
    """Number by number, after an audit of print."""
    found = audit(published.effects(), published.table1(), published.facts_as_printed())
    effects = compare_effects(published.effects(), analysis.effects, found)
    table1 = compare_table1(published.table1(), analysis.table1, found)
    facts = compare_facts(published.facts_as_printed(), analysis.facts, found)
    return Comparison(effects, table1, facts, found, summary(effects, table1, facts, analysis.selection))


@task(name="draw", cache_policy=NO_CACHE)
def draw(cohort: Cohort, analysis: Analysis, comparison: Comparison | None) -> tuple[dict[str, tuple[str, bytes]], list[str]]:
    """File stem -> title and PNG of every figure that the cohort allows, and the reasons for the others."""
    figures: dict[str, tuple[str, bytes]] = {}
    if comparison is not None:
        figures["published_against_ours"] = ("Published effects against ours", png(comparison_figure(comparison.effects)))
    for population, outcomes, title in REGRESSION_TABLES:
        if (analysis.effects["population"] == population).any():
            stem = f"forest_{population}_{outcomes[0]}_{outcomes[1]}"
            figures[stem] = (title, png(forest_figure(analysis.effects, population, outcomes, title)))
    patterns, reasons = _patterns(cohort)
    curves, more = survival_figures(cohort)
    figures |= patterns
    for figure in curves:
        figures[f"figure_{figure.name}"] = (f"{figure.source}. {figure.title}", png(survival_figure(figure)))
    return figures, [*reasons, *more]


def _patterns(cohort: Cohort) -> tuple[dict[str, tuple[str, bytes]], list[str]]:
    """Figure 1 (sites of relapse) and S5 (kinds of locoregional treatment)."""
    figures: dict[str, tuple[str, bytes]] = {}
    reasons: list[str] = []
    for stem, source, column, title in (
        ("figure_1_patterns", "Figure 1", "relapse_site", "Patterns of disease recurrence"),
        ("figure_s5_treatments", "Supplementary Figure S5", "locoregional_kind", "First locoregional treatment after relapse"),
    ):
        absent = [name for name in ("relapse", column) if name not in cohort.frame]
        if absent:
            reasons.append(f"{source}: the cohort does not record {', '.join(absent)}")
            continue
        try:
            table = pattern_table(cohort, column)
        except ValueError as reason:
            reasons.append(f"{source}: {reason}")
        else:
            drawn = png(pattern_figure(table, title, _pattern_p_values(cohort, column)))
            figures[stem] = (f"{source}. {title}", drawn)
    return figures, reasons


def _pattern_p_values(cohort: Cohort, column: str) -> Mapping[str, float]:
    """Panel -> P; a panel in which all relapses are of one kind, or of one timing, has nothing to compare and no P."""
    patients = relapsed(cohort, column)
    kinds = list(patients.frame[column])
    found = {}
    for months in (6, 12):
        timing = early_relapse(patients, months)
        if len(set(kinds)) > 1 and 0 < timing.sum() < len(timing):
            found[f"Cut-off {months} months"] = chi_squared_p(kinds, list(timing))
    return found


@task(name="write-files", cache_policy=NO_CACHE)
def write_files(
    run: RunDirectory,
    cohort: Cohort,
    analysis: Analysis,
    comparison: Comparison | None,
    figures: Mapping[str, tuple[str, bytes]],
    seconds: float,
) -> tuple[Path, ...]:
    """Tables, pictures and the page; aggregates only."""
    tables = {
        "all_effects.csv": analysis.effects,
        "table1.csv": analysis.table1,
        "facts.csv": analysis.facts,
        "selection.csv": analysis.selection,
    }
    if comparison is not None:
        tables |= {
            "effects.csv": comparison.effects,
            "table1.csv": comparison.table1,
            "facts.csv": comparison.facts,
            "audit.csv": comparison.audit,
            "summary.csv": comparison.summary,
        }
    for name, table in tables.items():
        write_atomically(run.path / name, table.to_csv(index=False))
    pictures = run.path / "figures"
    pictures.mkdir(exist_ok=True)
    for stem, (_, drawn) in figures.items():
        write_atomically(pictures / f"{stem}.png", drawn)
    page = ReproductionData(
        cohort_title=cohort.title,
        cohort_name=cohort.name,
        evidence=cohort.evidence,
        citation=cohort.citation,
        digest=cohort.digest,
        n_patients=len(cohort),
        effects=analysis.effects,
        table1=analysis.table1,
        facts=analysis.facts,
        selection=analysis.selection,
        left_out=analysis.left_out,
        provenance=provenance(run, seconds),
        figures=figures,
        summary=None if comparison is None else comparison.summary,
        effects_compared=None if comparison is None else comparison.effects,
        table1_compared=None if comparison is None else comparison.table1,
        facts_compared=None if comparison is None else comparison.facts,
        audit=None if comparison is None else comparison.audit,
    )
    write_atomically(run.path / REPORT, render_reproduction(page))
    return (*(run.path / name for name in tables), pictures, run.path / REPORT)


@task(name="log-to-mlflow", cache_policy=NO_CACHE)
def log_reproduction(name: str, cohort: Cohort, comparison: Comparison | None, files: tuple[Path, ...]) -> None:
    """One MLflow run: the shares reproduced, and the files."""
    writer = MlflowWriter(tracking_uri(), workspace() / "mlruns" / "artifacts")
    compared = None if comparison is None else comparison.effects
    bar = None if comparison is None else comparison.summary
    writer.log_reproduction(cohort, name, reproduction_items(cohort, compared, bar, files))


@task(name="publish-bar", cache_policy=NO_CACHE)
def publish_bar(comparison: Comparison, cohort: Cohort) -> None:
    """The bar as a Prefect artifact: aggregates only."""
    rows = [
        {
            "criterion": row["criterion"],
            "reached": f"{row['got']} of {row['of']}",
            "share": f"{row['share']:.0f} %",
            "target": f"{row['target']:.0f} %",
            "met": "yes" if row["met"] else "no",
        }
        for _, row in comparison.summary.iterrows()
    ]
    create_table_artifact(rows, key="reproduction", description=f"{cohort.caption}. How much of the paper is reproduced.")
