"""How much rows from one source resemble each other, and what that costs."""

from __future__ import annotations

import numpy as np

from evals.stats.bootstrap import Clusters
from evals.stats.columns import Numbers, cluster_codes, column
from plumbline.errors import InputError


def intracluster_correlation(values: Numbers, clusters: Clusters) -> float:
    """The share of the variance of `values`, float[n], that lies between clusters, by analysis of variance.

    (Donner & Koval, "The Estimation of Intraclass Correlation in the Analysis of Family Data", Biometrics 1980.) Below
    0 when clusters differ less than chance would have it; 0 when nothing varies. Raises `InputError` for one cluster
    only, or one row in each.
    """
    rows = column(values, "values")
    codes = cluster_codes(clusters, len(rows))
    sizes = np.bincount(codes).astype(np.float64)
    n, g = len(rows), len(sizes)
    if g in {1, n}:
        raise InputError(f"{n} rows in {g} clusters: there is nothing to compare within and between clusters.")
    means = np.bincount(codes, rows) / sizes
    within = float(np.sum((rows - means[codes]) ** 2)) / (n - g)
    between = float(np.sum(sizes * (means - rows.mean()) ** 2)) / (g - 1)
    typical = (n - float(np.sum(sizes**2)) / n) / (g - 1)
    total = between + (typical - 1) * within
    return (between - within) / total if total > 0 else 0.0


def design_effect(values: Numbers, clusters: Clusters) -> float:
    """By how much clusters multiply the variance of the mean, and so the rows needed; at least 1.

    1 + (m - 1) * correlation (Kish, *Survey Sampling*, 1965), where m is the size of the cluster that a row is in, on
    average over rows: unequal sizes cost more. Raises `InputError` as `intracluster_correlation` does.
    """
    correlation = max(0.0, intracluster_correlation(values, clusters))
    sizes = np.bincount(cluster_codes(clusters, len(clusters))).astype(np.float64)
    return 1 + (float(np.sum(sizes**2) / np.sum(sizes)) - 1) * correlation
