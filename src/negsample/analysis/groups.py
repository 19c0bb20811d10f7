"""Groups of methods without a significant difference: what a critical-difference diagram joins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import networkx as nx  # type: ignore[import-untyped]

from negsample.analysis.measures import Key
from negsample.analysis.significance import Comparisons


def fully_tested(tests: Comparisons, key: Key, methods: Sequence[str]) -> list[str]:
    """Those of ``methods`` of which every pair was tested; who lacks most tests is left out first."""
    left = list(methods)
    while lacking := Counter(name for pair in combinations(left, 2) if not _tested(tests, key, *pair) for name in pair):
        most = max(lacking.values())
        left.remove(next(name for name in reversed(left) if lacking[name] == most))
    return left


def joined(tests: Comparisons, key: Key, methods: Sequence[str]) -> list[list[str]]:
    """The largest groups of ``methods`` in which no pair has a significant difference; who is in none differs from all.

    Two methods are together in a group if and only if the test of their difference is not significant. All pairs were
    tested, see :func:`fully_tested`. In the order of ``methods``.
    """
    graph = nx.Graph()
    for a, b in combinations(methods, 2):
        each = tests.of_table(*key, a, b)
        if each is not None and not each.significant:
            graph.add_edge(a, b)
    order = {name: number for number, name in enumerate(methods)}
    groups = [sorted(group, key=order.__getitem__) for group in nx.find_cliques(graph)]
    return sorted(groups, key=lambda group: [order[name] for name in group])


def _tested(tests: Comparisons, key: Key, a: str, b: str) -> bool:
    each = tests.of_table(*key, a, b)
    return each is not None and each.p_holm is not None
