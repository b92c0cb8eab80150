"""TRIPOD+AI and PROBAST+AI filled with what the run knows of itself; the rest is marked as the authors' to fill in.

The items are data (``checklists/*.yaml``). What the run gives is a fact with its place in the report, and for PROBAST+AI a
suggested answer with its reason: quality, risk of bias and applicability are never judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import yaml

from evaluation.checklist_facts import checklist_facts

if TYPE_CHECKING:
    from evaluation.report import ReportData

_FOLDER = Path(__file__).parent / "checklists"

Status = Literal["run", "partly", "authors"]
STATUS_LABELS: Mapping[Status, str] = {
    "run": "answered by the run",
    "partly": "partly; the rest to be filled in by the authors",
    "authors": "to be filled in by the authors",
}
SUGGESTIONS: Mapping[str, str] = {
    "Y": "yes", "PY": "probably yes", "PN": "probably no", "N": "no", "NI": "no information", "NA": "not applicable",
}  # fmt: skip
#: The report's sections that an item may point to.
ANCHORS: Mapping[str, str] = {
    "top": "Head", "verdict": "Verdict", "summary": "Summary", "reading": "How to read the numbers",
    "sample-size": "Before fitting", "results": "Results", "cohort": "The patients", "missing": "Missing predictors",
    "audit": "Leak audit", "methods": "Methods", "warnings": "Warnings", "provenance": "Provenance",
}  # fmt: skip

TRIPOD_COLUMNS = ["item", "section", "topic", "applies", "text", "status", "answer", "where"]
PROBAST_COLUMNS = ["part", "domain", "number", "text", "suggestion", "reason", "where"]


@dataclass(frozen=True)
class TripodItem:
    """``answer`` is what the run gives; empty where that is nothing."""

    item: str
    section: str
    topic: str
    applies: str
    text: str
    status: Status
    answer: str
    where: tuple[str, ...]

    @property
    def status_label(self) -> str:
        return STATUS_LABELS[self.status]


@dataclass(frozen=True)
class ProbastQuestion:
    """``suggestion`` is what the run's facts point to, by its ``reason``; a judgement has none."""

    part: str
    domain: str
    number: str
    text: str
    suggestion: str
    reason: str
    where: tuple[str, ...]


@dataclass(frozen=True)
class Checklists:
    """Both checklists; ``judgements`` are PROBAST+AI's ratings of domains, left open."""

    tripod: tuple[TripodItem, ...]
    probast: tuple[ProbastQuestion, ...]
    judgements: tuple[ProbastQuestion, ...]
    sources: tuple[str, ...]

    @property
    def sentence(self) -> str:
        counts = {status: sum(item.status == status for item in self.tripod) for status in STATUS_LABELS}
        return (
            f"TRIPOD+AI: of {len(self.tripod)} items the run answers {counts['run']}, {counts['partly']} in part, and leaves"
            f" {counts['authors']} to the authors. PROBAST+AI: of {len(self.probast)} signalling questions"
            f" {sum(q.suggestion != 'no information' for q in self.probast)} have a suggested answer; the {len(self.judgements)}"
            " ratings of domains are for people to make."
        )


def checklists(data: ReportData) -> Checklists:
    """Fill both from a run. Raises ``KeyError`` for a name in a checklist that is no fact."""
    facts = checklist_facts(data)
    tripod, probast = load_checklist("tripod_ai"), load_checklist("probast_ai")
    return Checklists(
        tripod=tuple(_tripod(entry, facts, _places(data)) for entry in tripod["items"]),
        probast=tuple(_probast(probast, facts, _places(data))),
        judgements=tuple(_judgements(probast)),
        sources=(f"{tripod['name']}: {tripod['source']}.", f"{probast['name']}: {probast['source']}."),
    )


@cache
def load_checklist(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))


def tripod_table(filled: Checklists) -> pd.DataFrame:
    """``tripod_ai.csv``."""
    rows = [{**item.__dict__, "status": item.status_label, "where": _titles(item.where)} for item in filled.tripod]
    return pd.DataFrame(rows, columns=TRIPOD_COLUMNS)


def probast_table(filled: Checklists) -> pd.DataFrame:
    """``probast_ai.csv``: the signalling questions, then the ratings to be made."""
    rows = [{**q.__dict__, "where": _titles(q.where)} for q in (*filled.probast, *filled.judgements)]
    return pd.DataFrame(rows, columns=PROBAST_COLUMNS)


def _titles(where: tuple[str, ...]) -> str:
    return "; ".join(ANCHORS[anchor] for anchor in where)


def _places(data: ReportData) -> frozenset[str]:
    """Sections that this report has."""
    absent = {
        "verdict": not data.verdicts, "sample-size": data.sample_size.empty,
        "missing": not data.before_fitting, "audit": not data.before_fitting,
    }  # fmt: skip
    return frozenset(anchor for anchor in ANCHORS if not absent.get(anchor, False))


def _filled(text: str, facts: Mapping[str, str]) -> str:
    """The text with its facts, or an empty one where a fact that it needs is not known."""
    needed = [name for _, name, _, _ in Formatter().parse(text) if name]
    return text.format(**facts).strip() if all(facts[name] for name in needed) else ""


def _tripod(entry: Mapping[str, Any], facts: Mapping[str, str], places: frozenset[str]) -> TripodItem:
    answer = _filled(entry.get("answer", ""), facts)
    status: Status = entry["status"] if answer else "authors"
    where = tuple(anchor for anchor in entry.get("where", ()) if anchor in places) if answer else ()
    asked = {name: str(entry[name]) for name in ("item", "section", "topic", "applies", "text")}
    return TripodItem(**asked, status=status, answer=answer, where=where)


def _probast(checklist: Mapping[str, Any], facts: Mapping[str, str], places: frozenset[str]) -> Iterator[ProbastQuestion]:
    for part in checklist["parts"]:
        for entry in (*checklist["shared"], *checklist[part]):
            reason = _filled(entry["reason"], facts)
            suggestion = _filled(entry["suggestion"], facts) if reason else "NI"
            where = tuple(anchor for anchor in entry["where"] if anchor in places) if reason else ()
            told = f"The run gives: {reason}" if reason else "The run gives nothing."
            yield ProbastQuestion(part, entry["domain"], entry["number"], entry["text"], SUGGESTIONS[suggestion], told, where)


def _judgements(checklist: Mapping[str, Any]) -> Iterator[ProbastQuestion]:
    domains = {entry["domain"][0]: entry["domain"] for entry in (*checklist["shared"], *checklist["development"])}
    for part, kinds in checklist["judgements"].items():
        for kind, numbers in kinds.items():
            for number in numbers:
                text = f"Concern about {kind}" if kind != "risk of bias" else "Risk of bias"
                yield ProbastQuestion(part, domains[str(number)], "", text, "to be judged by the authors", "", ())
