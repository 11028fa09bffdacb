"""How fast two runs are compared, beside SciPy and ranx on the same numbers in the same call.

    python benchmarks/comparing.py --json OUT [--peers DIR]

    flips       seconds of 1,000,000 sign flips of 200 paired differences, median of five; SciPy's permutation_test
                makes 20,000 of them and is scaled up, ranx's paired randomization test is asked for 1,000,000
    comparison  wall seconds of a process that imports, makes two runs of 1,000 questions with six measures and
                compares them: intervals, p, Holm, power and all

ranx has an environment of its own under `--peers`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import record
from environments import environment
from platformdirs import user_cache_path
from scipy import stats as scipy_stats

from quoth.stats import paired

PAIRS, FLIPS, SCIPY = 200, 1_000_000, 20_000
RANX = ["ranx==0.3.21"]
WHOLE = """
import numpy as np
from quoth.evaluate import Outcome, Run, compare
names = ("nDCG@10", "R@5", "R@20", "RR@10", "Success@1", "Success@5")
random = np.random.default_rng(0)
first = random.random((1000, 6))
second = np.where(random.random((1000, 6)) < 0.5, first, random.random((1000, 6)))
def run(name, values):
    outcomes = tuple(
        Outcome(f"q{n}", "?", f"d{n}", False, (), (), True, 0.5, (), dict(zip(names, map(float, row))), 1.0)
        for n, row in enumerate(values)
    )
    return Run(name, name, {}, "set", "", 0.0, outcomes, False)
print(compare(run("a", first), run("b", second)).words)
"""
BY_RANX = """
import json, sys, time
import numpy as np
from ranx.statistical_tests import fisher_randomization_test
control, treatment = np.array(json.load(sys.stdin))
fisher_randomization_test(control, treatment, 1000, 0.01, 42)
times = []
for _ in range(3):
    started = time.perf_counter()
    fisher_randomization_test(control, treatment, FLIPS, 0.01, 42)
    times.append(time.perf_counter() - started)
print(json.dumps(sorted(times)[1]))
"""


def median(work: Callable[[], object], times: int = 5) -> float:
    """The median wall seconds of some calls, after one that warms up."""
    work()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def by_scipy(control: np.ndarray, treatment: np.ndarray) -> object:
    return scipy_stats.permutation_test(
        (treatment, control),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        n_resamples=SCIPY,
        vectorized=True,
        batch=2_000,
        rng=np.random.default_rng(0),
    )


def by_ranx(peers: Path, control: np.ndarray, treatment: np.ndarray) -> float | str:
    """Seconds of ranx, compiled before; or why there are none."""
    python = environment(peers / "ranx", sys.executable, RANX)
    numbers = json.dumps([control.tolist(), treatment.tolist()])
    program = BY_RANX.replace("FLIPS", str(FLIPS))
    done = subprocess.run([python, "-c", program], input=numbers, capture_output=True, text=True, check=False)
    return float(done.stdout) if not done.returncode else done.stderr.strip().splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--peers", type=Path, default=user_cache_path("quoth-benchmarks") / "peers")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    control = random.random(PAIRS)
    treatment = np.clip(control + random.normal(0.02, 0.2, PAIRS), 0, 1)
    ours = median(lambda: paired.sign_flip(treatment - control))
    scipy = median(lambda: by_scipy(control, treatment), 3) * FLIPS / SCIPY
    ranx = by_ranx(options.peers.resolve(), control, treatment)
    whole = median(lambda: subprocess.run([sys.executable, "-c", WHOLE], check=True, stdout=subprocess.DEVNULL), 3)
    result = {
        **record.environment(["scipy"]),
        "pairs": PAIRS,
        "flips": FLIPS,
        "seconds": {
            "quoth": round(ours, 4),
            "scipy": round(scipy, 2),
            "ranx": round(ranx, 2) if isinstance(ranx, float) else ranx,
        },
        "peers": RANX,
        "p": {"quoth": paired.sign_flip(treatment - control).p, "scipy": float(by_scipy(control, treatment).pvalue)},
        "comparison_seconds": round(whole, 3),
    }
    record.write(options.json, result)


if __name__ == "__main__":
    main()
