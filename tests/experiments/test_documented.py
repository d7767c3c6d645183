"""The tables in docs/results are those of the CSV files beside them; the command on a page is the script's default."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from experiments.adapttoken import entropy_of_answers, entropy_of_groups
from experiments.autogaze import __main__ as autogaze
from experiments.autogaze import cost as autogaze_cost
from experiments.autogaze import drawn as autogaze_drawn
from experiments.autogaze import rates as autogaze_rates
from experiments.autogaze import tables as autogaze_tables
from experiments.autogaze import training as autogaze_training
from experiments.common import RESULTS, read
from experiments.qtsplus import cost as qtsplus_cost

FOLDER = Path(__file__).parents[2] / RESULTS
PAGES = {
    entropy_of_answers: "entropy",
    entropy_of_groups: "entropy",
    qtsplus_cost: "qtsplus_cost",
    autogaze: "autogaze",
    autogaze_cost: "autogaze_cost",
    autogaze_drawn: "autogaze",
    autogaze_rates: "autogaze",
    autogaze_training: "autogaze",
}
TABLES_ONLY = (autogaze_cost, autogaze_drawn)  # without a figure
UNSAID: tuple[str, ...] = ("folder", "results", "arms", "splits", "backbone")  # need not be repeated
UNSAID += ("checkpoint", "stop", "settings")


def _tables(module: ModuleType) -> list[str]:
    """The tables of one experiment, from its committed numbers."""
    rows = read(FOLDER / f"{module.NAME}.csv")
    if module is entropy_of_groups:
        thresholds = read(FOLDER / f"{module.NAME}_threshold.csv")
        return [entropy_of_groups.signal_table(rows), entropy_of_groups.threshold_table(thresholds)]
    if module is qtsplus_cost:
        return qtsplus_cost.tables(rows, read(FOLDER / f"{qtsplus_cost.COMPUTED}.csv"))
    if module is autogaze:
        needs, predicted, epsilons = (
            read(FOLDER / f"autogaze{part}.csv") for part in ("_needed", "_predicted", "_epsilon")
        )
        tables = [autogaze_tables.needed_table(needs, how) for how in ("fixed", "own")]
        tables += [autogaze_tables.needed_table(needs, "fixed", "real")]
        tables += [autogaze_tables.loss_table(rows, clips) for clips in ("made", "real")]
        return [*tables, autogaze_tables.predicted_table(predicted), autogaze_tables.epsilon_table(epsilons)]
    if module is autogaze_rates:
        return [autogaze_rates.table(rows)]
    if module is autogaze_training:
        return [autogaze_training.table(rows)]
    if module is autogaze_drawn:
        return [autogaze_drawn.table(rows)]
    if module is autogaze_cost:
        return autogaze_cost.tables(rows)
    return [entropy_of_answers.table(rows)]


@pytest.mark.parametrize("module", PAGES, ids=lambda module: module.NAME)
def test_the_page_shows_the_numbers_on_disk(module: ModuleType) -> None:
    page = (FOLDER / f"{PAGES[module]}.md").read_text(encoding="utf-8")
    tables = _tables(module)
    assert tables and all(table in page for table in tables), f"{PAGES[module]}.md: not the table of {module.NAME}.csv"
    if module in TABLES_ONLY:
        return
    assert f"({module.NAME}.png)" in page and (FOLDER / f"{module.NAME}.png").stat().st_size < 150_000


@pytest.mark.parametrize("module", PAGES, ids=lambda module: module.NAME)
def test_the_command_on_the_page_is_what_runs_by_default(module: ModuleType) -> None:
    commands = [line.strip() for line in (module.__doc__ or "").splitlines() if line.startswith("    python -m ")]
    assert len(commands) == 1
    assert commands[0] in (FOLDER / f"{PAGES[module]}.md").read_text(encoding="utf-8")
    given = dict(word.split("=", 1) for word in commands[0].split()[3:])
    defaults = {key: value for key, value in module.DEFAULTS.items() if key in given or key not in UNSAID}
    assert given == defaults
