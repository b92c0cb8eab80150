"""An external validation as a terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from rich.console import Console
from rich.markup import escape

from evaluation.external_validation import FROZEN
from evaluation.tables import of_question, questions
from evaluation.validation_summary import summarise_validation
from flows.leaderboard_view import question_table, question_title


def print_validation(
    boards: Mapping[str, pd.DataFrame], comparisons: pd.DataFrame, captions: tuple[str, str], console: Console
) -> None:
    """The frozen models' table and what was found, a question at a time."""
    console.print(f"Learned from {escape(captions[0])}")
    console.print(f"Judged in    {escape(captions[1])}")
    for endpoint, population in questions(boards[FROZEN]):
        of = {kind: of_question(board, endpoint, population) for kind, board in boards.items()}
        title = question_title(endpoint, population)
        done = of[FROZEN][of[FROZEN]["status"] == "completed"]
        if done.empty:
            console.print(f"\n[bold]{title}[/bold]: nothing judged: {escape(str(of[FROZEN]['note'].iloc[0]))}")
            continue
        console.print(question_table(f"{title} · frozen", done))
        for sentence in summarise_validation(of, of_question(comparisons, endpoint, population), {}):
            console.print(f"  {escape(sentence)}")
