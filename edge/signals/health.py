"""The health of a source, told only when it changes."""

from edge.process.reporter import HealthReporter

__all__ = ["HealthReporter"]
