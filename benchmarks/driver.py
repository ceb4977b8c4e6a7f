"""Loads servers with the workload, shows how far it is and keeps account of what failed."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        requests: Path | None = None,
    ) -> LoadReport:
        """Loads one server; `sample` is called a few times a second while it works.

        With `requests` of their own two loads may run at once.
        """
        task = self._progress.add_task(f"{title}: {server.name}", total=load.calls or None)

        def on_progress(calls: int) -> None:
            self._progress.update(task, completed=calls)
            sample()

        report = drive(server, requests or self.requests, load, on_progress)
        self._progress.update(task, completed=report.ok, total=report.ok)
        for code, count in report.failures.items():
            self.failed(f"{server.name}: {code}", count, report.examples[code])
        return report

    @contextmanager
    def shown(self, title: str) -> Iterator[Callable[[int], None]]:
        """A line for a load that is driven in another way; gives what to call with its count."""
        task = self._progress.add_task(title, total=None)
        yield lambda count: self._progress.update(task, completed=count, total=count)

    def failed(self, key: str, count: int, example: str) -> None:
        """Keeps account of calls that were not answered OK."""
        self.failures[key] += count
        self.examples.setdefault(key, example)
