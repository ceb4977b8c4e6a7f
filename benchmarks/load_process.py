"""Runs the load generator as a process of its own, and h2load beside it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.check_in_rpc import PATH
from benchmarks.outcomes import LoadReport
from benchmarks.requests import read_requests
from benchmarks.servers import PROJECT, Server

CONNECTIONS = 4
IN_FLIGHT = 64


class LoadFailed(RuntimeError):
    """A load generator ended without a report."""


@dataclass(frozen=True, slots=True)
class Load:
    """How long to load a server: for `seconds` after a warm-up, or with so many `calls`.

    Request ids are in order of time, or random unless `ordered`.
    """

    seconds: float = 0.0
    warmup_seconds: float = 1.0
    calls: int = 0
    ordered: bool = True


def drive(
    server: Server, requests: Path, load: Load, on_progress: Callable[[int], None]
) -> LoadReport:
    """Sends a request file's check-ins; `on_progress` gets the calls answered OK so far.

    Raises:
        LoadFailed: the generator ended without a report.
    """
    command = [sys.executable, "-m", "benchmarks.load", "--method", PATH]
    command += ["--port", str(server.port), "--requests", str(requests)]
    command += ["--seconds", str(load.seconds), "--warmup", str(load.warmup_seconds)]
    command += ["--calls", str(load.calls)]
    command += ["--ordered" if load.ordered else "--random"]
    command += ["--in-flight", str(IN_FLIGHT), "--connections", str(CONNECTIONS)]
    if server.credentials is not None:
        command += ["--authority", str(server.credentials.authority)]
        command += ["--token-file", str(server.credentials.token)]
    report: LoadReport | None = None
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            answer = json.loads(line)
            if "calls" in answer:
                on_progress(answer["calls"])
            else:
                report = LoadReport(**answer)
    if report is None:
        raise LoadFailed(f"the load generator ended with exit code {process.returncode}")
    return report


def h2load_rate(server: Server, requests: Path, seconds: int) -> float | None:
    """Calls per second that h2load reaches with the same connections, or None if it is missing.

    It sends one request over and over and counts HTTP status 200, whatever the gRPC status says.

    Raises:
        LoadFailed: its output has no rate.
    """
    program = shutil.which("h2load")
    if program is None:
        return None
    message = read_requests(requests)[0]
    body = requests.with_suffix(".h2load")
    body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    command = [program, "-t1", f"-c{CONNECTIONS}", f"-m{IN_FLIGHT // CONNECTIONS}"]
    command += [f"-D{seconds}", "--warm-up-time=1", "-d", str(body)]
    command += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    command += [f"http://{server.address}{PATH}"]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"^finished in .*?, ([0-9.]+) req/s", output, re.MULTILINE)
    if found is None:
        raise LoadFailed(f"h2load reported no rate:\n{output}")
    return float(found.group(1))
