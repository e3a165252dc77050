"""The one exception by which a measurement says that it could not be made."""

from __future__ import annotations


class BenchError(Exception):
    """Its text is a sentence for the person who runs the benchmarks."""
