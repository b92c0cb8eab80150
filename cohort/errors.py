"""Errors written for the person who has to mend the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

IDS_SHOWN = 5


class CohortError(ValueError):
    """A cohort, contract or question that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Violation:
    """One broken rule of one column: how many patients break it and the first of their ids (never a value of theirs)."""

    column: str
    rule: str
    count: int
    ids: tuple[str, ...] = ()
    cure: str = ""

    def __str__(self) -> str:
        patients = "" if self.count == 0 else f" ({self.count} patient{'s' if self.count != 1 else ''}"
        if patients:
            shown = ", ".join(self.ids[:IDS_SHOWN])
            more = ", …" if self.count > len(self.ids[:IDS_SHOWN]) else ""
            patients += f": {shown}{more})" if shown else ")"
        cure = f" {self.cure}" if self.cure else ""
        return f"{self.column}: {self.rule}{patients}.{cure}"


class ContractViolation(CohortError):
    """A file that breaks its contract: every violation in one error."""

    def __init__(self, source: str, violations: Sequence[Violation]) -> None:
        self.source = source
        self.violations = tuple(violations)
        lines = "\n".join(f"  - {v}" for v in self.violations)
        rules = "rule" if len(self.violations) == 1 else "rules"
        super().__init__(f"{source} breaks {len(self.violations)} {rules} of its contract:\n{lines}")
