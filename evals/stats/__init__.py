"""Statistics for evals: intervals, tests and plans that hold for small samples, skewed costs and questions in clusters.

`docs/statistics.md` says which is for what, with measured coverage. Needs the extra `eval` (scipy), loaded at first
use.
"""

from evals.stats.agreement import kappa
from evals.stats.bootstrap import bootstrap_mean, bootstrap_ratio, paired_difference
from evals.stats.clusters import design_effect, intracluster_correlation
from evals.stats.planning import (
    minimum_detectable_effect,
    minimum_detectable_effect_paired_proportions,
    minimum_detectable_effect_proportions,
    paired_power,
    required_sample_size,
    required_sample_size_paired_proportions,
    required_sample_size_proportions,
)
from evals.stats.proportions import wilson
from evals.stats.significance import holm, mcnemar_exact, paired_permutation
from evals.stats.statistic import bootstrap_statistic
from evals.stats.values import Interval, TestResult

__all__ = [
    "Interval",
    "TestResult",
    "bootstrap_mean",
    "bootstrap_ratio",
    "bootstrap_statistic",
    "design_effect",
    "holm",
    "intracluster_correlation",
    "kappa",
    "mcnemar_exact",
    "minimum_detectable_effect",
    "minimum_detectable_effect_paired_proportions",
    "minimum_detectable_effect_proportions",
    "paired_difference",
    "paired_permutation",
    "paired_power",
    "required_sample_size",
    "required_sample_size_paired_proportions",
    "required_sample_size_proportions",
    "wilson",
]
