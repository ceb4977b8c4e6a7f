"""Loads servers with the workload, shows how far it is and keeps account of what failed."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.progress import Progress

from benchmarks.load_process import Load, drive
from benchmarks.outcomes import LoadReport
from benchmarks.servers import Server


class Driver:
    """Runs loads one after the other, with a line of the progress display for each."""

    def __init__(self, requests: Path, progress: Progress) -> None:
        self.requests = requests
        self.failures: Counter[str] = Counter()
        """Calls that were not answered OK, by server and code."""
        self.examples: dict[str, str] = {}
        """One error message for each key of `failures`."""
        self._progress = progress

    def drive(
        self,
        server: Server,
        title: str,
        load: Load,
        sample: Callable[[], None] = lambda: None,
    ) -> LoadReport:
        """Loads one server; `sample` is called a few times a second while it works."""
        task = self._progress.add_task(f"{title}: {server.name}", total=load.calls or None)

        def on_progress(calls: int) -> None:
            self._progress.update(task, completed=calls)
            sample()

        report = drive(server, self.requests, load, on_progress)
        self._progress.update(task, completed=report.ok, total=report.ok)
        for code, count in report.failures.items():
            key = f"{server.name}: {code}"
            self.failures[key] += count
            self.examples.setdefault(key, report.examples[code])
        return report
