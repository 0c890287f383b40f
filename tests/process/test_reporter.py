from edge.contracts.signals import Signal, SourceChanged
from edge.process.reporter import HealthReporter


def test_only_changes_are_told_and_errors_are_counted():
    told: list[Signal] = []
    reporter = HealthReporter("camera", told.append)
    reporter.ok()
    reporter.ok()
    reporter.lost("unplugged")
    reporter.lost("unplugged")
    reporter.degraded("slow")
    reporter.ok()
    assert told == [
        SourceChanged("camera", "ok"),
        SourceChanged("camera", "lost", "unplugged", 1),
        SourceChanged("camera", "degraded", "slow", 3),
        SourceChanged("camera", "ok", "", 3),
    ]
