"""Golden questions → a run of a recipe → the comparison of two runs.

questions.py   questions whose answers are known, and published sets of them
run.py         evaluate(library, questions, recipe) → Run
golden.py      the library's own questions, anchored to its documents
outside.py     published sets, in a library of their own, and bm25s beside them
compare.py     compare(run, run) → Comparison
summary.py     a run in numbers
report.py      a comparison as a page
kept.py        what the command line asks for: measured, kept, compared, entered
"""

from __future__ import annotations

from quoth.evaluate.compare import Comparison, compare
from quoth.evaluate.kept import Compared, Wanted, compared, kept_runs, measure, write_report
from quoth.evaluate.questions import Golden, Question
from quoth.evaluate.run import Outcome, Run, evaluate

__all__ = [
    "Compared", "Comparison", "Golden", "Outcome", "Question", "Run", "Wanted", "compare", "compared", "evaluate",
    "kept_runs", "measure", "write_report",
]  # fmt: skip
