"""An error planted in consistent tables is found by the check that is made for it; consistent tables give no finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import pytest

from cohort.reconstruct import published
from evaluation.published_audit import (
    AUDIT_COLUMNS,
    CHECKS,
    Published,
    Tables,
    audit,
    findings_of,
    implied_events,
    least_events,
    p_range,
)

from .reproduction_cases import consistent_effects, consistent_facts, consistent_table1, effect_row

CONSISTENT = Published(consistent_effects(), consistent_table1(), consistent_facts())


def _audit(tables: Published) -> pd.DataFrame:
    return audit(tables.effects, tables.table1, tables.facts)


def _effect(outcome: str, variable: str, **cells: str) -> Published:
    """The consistent tables with cells of one effect overwritten."""
    effects = CONSISTENT.effects.copy()
    rows = (effects["outcome"] == outcome) & (effects["variable"] == variable)
    assert rows.sum() == 1
    effects.loc[rows, list(cells)] = list(cells.values())
    return replace(CONSISTENT, effects=effects)


def _cell(variable: str, statistic: str, when: str, text: str) -> Published:
    table1 = CONSISTENT.table1.copy()
    rows = (table1["variable"] == variable) & (table1["statistic"] == statistic)
    assert rows.sum() == 1
    table1.loc[rows, when] = text
    return replace(CONSISTENT, table1=table1)


def _fact(name: str, text: str) -> Published:
    facts = CONSISTENT.facts.copy()
    facts.loc[facts["fact"] == name, "value"] = text
    return replace(CONSISTENT, facts=facts)


def _copied() -> Published:
    names = ["estimate", "ci_low", "ci_high", "p_value"]
    row = CONSISTENT.effects.query("outcome == 'dfs' and variable == 'regimen'").iloc[0]
    return _effect("os", "regimen", **{name: str(row[name]) for name in names})


def _lesions(estimate: str, ci_low: str, ci_high: str) -> Published:
    """The consistent tables with lesions before surgery, vanished lesions, and those at baseline as told."""
    cells = {
        "presurgery": ("1.02", "0.89", "1.17"),
        "vanished": ("1.08", "0.91", "1.29"),
        "baseline": (estimate, ci_low, ci_high),
    }
    rows = [
        effect_row(
            variable=f"{when}_lesions", form="continuous", level="", reference="", n_level="268", n_reference="",
            estimate=numbers_[0], ci_low=numbers_[1], ci_high=numbers_[2],
            p_value=_p_in_the_middle(numbers_),
        )
        for when, numbers_ in cells.items()
    ]  # fmt: skip
    return replace(CONSISTENT, effects=pd.concat([CONSISTENT.effects, pd.DataFrame(rows)], ignore_index=True))


def _p_in_the_middle(cells: tuple[str, str, str]) -> str:
    least, most = p_range(pd.Series(dict(zip(("estimate", "ci_low", "ci_high"), cells, strict=True))))
    return f"{(least + most) / 2:.2f}"


@dataclass(frozen=True)
class Planted:
    """``says``: what the finding must name."""

    check: str
    severity: str
    says: str
    tables: Callable[[], Published]


PLANTED = (
    Planted(
        "interval_centre", "contradiction", "not on 1.20",
        lambda: _effect("relapse_12m", "sex", estimate="1.20", ci_low="0.41", ci_high="3.20"),
    ),
    # sqrt(1.08 * 1.45) lies between 1.246 and 1.256: 1.24 was cut off, not rounded.
    Planted(
        "interval_centre", "digits", "centred on 1.246 to 1.256, not on 1.24",
        lambda: _effect("dfs", "regimen", estimate="1.24", ci_low="1.08", ci_high="1.45"),
    ),
    Planted(
        "p_from_interval", "contradiction", "P 0.92 does not follow",
        lambda: _effect("dfs", "primary_resected", estimate="0.92", ci_low="0.70", ci_high="1.21", p_value="0.92"),
    ),
    Planted(
        "p_from_interval", "contradiction", "P <0.0001 does not follow",
        lambda: _effect("dfs", "primary_resected", estimate="0.92", ci_low="0.70", ci_high="1.21", p_value="<0.0001"),
    ),
    Planted(
        "p_from_interval", "doubt", "P 0.51 does not follow from the interval, which implies 0.516",
        lambda: _effect("dfs", "primary_resected", estimate="0.92", ci_low="0.70", ci_high="1.21", p_value="0.51"),
    ),
    Planted(
        "whole_numbers", "contradiction", "no table of 159 and 109 patients gives the row",
        lambda: _effect("relapse_12m", "sex", estimate="1.32", ci_low="0.59", ci_high="2.99", p_value="0.49"),
    ),
    Planted(
        "whole_numbers", "digits", "no table of 134 and 134 patients rounds to print; the nearest gives 1.215 (0.737-2.004)",
        lambda: _effect("relapse_6m", "sex", n_level="134", n_reference="134", estimate="1.21", ci_low="0.74", ci_high="2.00"),
    ),
    Planted("events_by_horizon", "contradiction", "the text gives 149", lambda: _fact("n_relapse_12m", "149")),
    Planted("events_by_horizon", "contradiction", "the text gives 95", lambda: _fact("n_early_6m", "95")),
    Planted(
        "events_of_intervals", "contradiction", "the other rows of os imply about 118",
        lambda: _effect("os", "regimen", estimate="1.09", ci_low="0.82", ci_high="1.44", p_value="0.54"),
    ),
    # Scores of 4 and 9 (log 1.02 / 0.07 squared, log 1.08 / 0.09 squared) leave none of 70 (log 1.04 / 0.024 squared) to explain.
    Planted(
        "scores_add_up", "doubt", "those at baseline", lambda: _lesions("1.04", "0.99", "1.09"),
    ),
    Planted("repeated_rows", "doubt", "repeats the row of dfs", _copied),
    Planted(
        "counts_add_up", "contradiction", "sex (baseline): the counts make 267, not 268",
        lambda: _cell("sex", "count:female", "baseline", "108"),
    ),
    Planted(
        "counts_add_up", "contradiction", "cea (pre_surgery): the counts make 269",
        lambda: _cell("cea", "missing", "pre_surgery", "93"),
    ),
    Planted(
        "median_and_counts", "contradiction", "median 17, but 127 of 222 are below 10",
        lambda: _cell("cea", "median", "baseline", "17"),
    ),
    Planted(
        "median_and_counts", "contradiction", "cea (pre_surgery): q3 9, but 123 of 176 are below 10",
        lambda: _cell("cea", "q3", "pre_surgery", "9"),
    ),
    Planted(
        "counts_across_tables", "contradiction", "regimen triplet: 113 patients here, 112 in Table 1",
        lambda: _effect("dfs", "regimen", n_level="113"),
    ),
)  # fmt: skip


def test_consistent_tables_give_no_finding() -> None:
    found = _audit(CONSISTENT)

    assert list(found.columns) == AUDIT_COLUMNS
    assert found.empty, found["finding"].tolist()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: f"{p.check}, {p.says}")
def test_a_planted_error_is_found(planted: Planted) -> None:
    found = _audit(planted.tables())
    texts = found[(found["check"] == planted.check) & (found["severity"] == planted.severity)]["finding"]

    assert any(planted.says in text for text in texts), found[["check", "severity", "finding"]].to_string()


def test_lesions_whose_scores_add_up_give_no_finding() -> None:
    # 4 + 9 is what log 1.06 over its error of 0.066, squared, gives.
    found = _audit(_lesions("1.06", "0.93", "1.21"))

    assert found.empty, found["finding"].tolist()


def test_fewer_relapses_than_relapses_and_deaths_are_a_contradiction_only_where_table_3_has_no_room_for_the_deaths() -> None:
    def found(relapses_by_12_months: str) -> str:
        facts = pd.concat(
            [_fact("n_relapse_12m", relapses_by_12_months).facts, CONSISTENT.facts.iloc[:1].assign(fact="n_relapse", value="200")]
        )
        rows = _audit(replace(CONSISTENT, facts=facts))
        return str(rows[rows["check"] == "events_by_horizon"]["severity"].item())

    assert found("155") == "doubt", "6 deaths and 200 relapses are what some 205 events may be"
    assert found("139") == "contradiction", "22 deaths and 200 relapses are not"


def test_every_check_has_a_planted_error() -> None:
    assert {planted.check for planted in PLANTED} == set(CHECKS)


def test_a_finding_about_an_effect_carries_its_key_and_one_about_the_text_does_not() -> None:
    of_effect = _audit(_effect("dfs", "primary_resected", estimate="0.92", ci_low="0.70", ci_high="1.21", p_value="0.92"))
    of_text = _audit(_fact("n_early_6m", "95"))

    row = of_effect.iloc[0]
    assert (row["table"], row["outcome"], row["variable"], row["level"]) == ("Table 3", "dfs", "primary_resected", "yes")
    assert of_text[["table", "outcome", "variable"]].to_numpy().tolist() == [["text", "", ""]]


def test_findings_of_an_effect_are_joined_and_those_of_a_table_left_out() -> None:
    key = {"outcome": "os", "analysis": "univariate", "variable": "sex", "form": "categorical", "level": "male"}
    nowhere = dict.fromkeys(key, "")
    rows = [
        {"table": "Table 3", **key, "check": "a", "severity": "contradiction", "finding": "first"},
        {"table": "Table 3", **key, "check": "b", "severity": "contradiction", "finding": "second"},
        {"table": "Table 3", **key, "check": "c", "severity": "doubt", "finding": "third"},
        {"table": "text", **nowhere, "check": "d", "severity": "contradiction", "finding": "fourth"},
    ]

    assert findings_of(pd.DataFrame(rows, columns=AUDIT_COLUMNS), "contradiction") == {tuple(key.values()): "first; second"}


def test_p_range_holds_the_p_of_the_unrounded_numbers_and_the_null_where_the_estimate_may_be_one() -> None:
    # log OR 0.4 with error 0.2: P 0.0455, printed 1.49 (1.01-2.21).
    least, most = p_range(pd.Series(effect_row(estimate="1.49", ci_low="1.01", ci_high="2.21")))

    assert least < 0.0455 < most
    assert most - least < 0.02
    assert p_range(pd.Series(effect_row(estimate="1.00", ci_low="0.80", ci_high="1.25")))[1] == 1.0


def test_a_bare_one_beside_two_decimals_is_read_with_two() -> None:
    # Read as 0.5 to 1.5, a bare 1 would let any P pass.
    least, _ = p_range(pd.Series(effect_row(estimate="1", ci_low="0.83", ci_high="1.19")))

    assert least > 0.9


def test_tables_are_all_whole_numbered_ones_with_their_odds_ratios() -> None:
    tables = Tables.of(3, 4)
    at = tables.events.tolist().index([2, 1])

    assert len(tables.events) == 2 * 3
    assert tables.ratios[at, 0] == pytest.approx(2 * 3 / (1 * 1))


def test_fewest_events_are_four_over_the_squared_error() -> None:
    # 0.50 to 2.00 is an error of about 0.354; read as wide as print allows, 0.495 to 2.005.
    assert least_events(pd.Series(effect_row(estimate="1.00", ci_low="0.50", ci_high="2.00"))) == pytest.approx(31.4, abs=0.1)


def test_events_are_those_that_most_odds_ratios_imply_though_one_row_is_wrong() -> None:
    wrong = _effect("relapse_12m", "sex", estimate="1.32", ci_low="0.59", ci_high="2.99")

    assert implied_events(wrong) == {"relapse_6m": 96, "relapse_12m": 161}


def test_the_paper_has_the_contradictions_that_are_known() -> None:
    found = audit(published.effects(), published.table1(), published.facts_as_printed())
    contradictions = found[found["severity"] == "contradiction"]

    of_relapses = contradictions[contradictions["finding"].str.startswith("n_relapse_12m")]["finding"].item()
    assert "the text gives 149, the odds ratios of Table 2 come from 161 events; 12 deaths without relapse" in of_relapses
    assert "207 relapses in all would make 219 events of DFS" in of_relapses
    assert "cea (baseline): median 17, but 127 of 222 are below 10" in set(contradictions["finding"])
    assert "presurgery_lobes unilobar: 131 patients here, 137 in Table 1" in set(contradictions["finding"])
    of_age = contradictions[(contradictions["outcome"] == "dfs") & (contradictions["variable"] == "age")]
    assert list(of_age["check"]) == ["p_from_interval"]


def test_what_a_reader_noted_beside_a_published_row_the_audit_finds_too() -> None:
    found = audit(published.effects(), published.table1(), published.facts_as_printed())
    noted = published.effects().query("inconsistency != ''")
    keys = ["outcome", "analysis", "variable", "form", "level"]

    assert set(map(tuple, noted[keys].to_numpy())) <= set(map(tuple, found[keys].to_numpy()))
