"""Conformance: published worked examples, evaluated by the functions that score the ledger.

A file is JSON: a list of cases, or an object whose `cases` is one. A case has `id`, `kind`,
`given`, `expect`, and in `policy` the knobs that differ from standard/v1.
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from ledger.scoring.conformance_given import number
from ledger.scoring.conformance_kinds import KINDS, Answers
from ledger.scoring.exact import half_up, multiply, rounded, text
from ledger.scoring.policy import STANDARD, with_knobs

_PLACES: Final = r"(\d|1[0-2])"
_PRINTED: Final = re.compile(
    rf"(\w+?)(?:_rounded_{_PLACES}|(_percent)_rounded(?:_{_PLACES})?)", re.ASCII
)
_HUNDRED: Final = Decimal(100)
_WRONG_INPUT: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
)


class ConformanceFileError(Exception):
    """The file cannot be read as a list of cases; the message says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one case expected and got, one line each, and whether they agree."""

    id: str
    expected: str
    got: str
    passed: bool


def load(path: Path) -> list[Any]:
    """The cases of a file, as they stand; numbers written as such are read exactly.

    Raises:
        ConformanceFileError: no such file, not JSON, or no list of cases.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise ConformanceFileError(f"{path}: {error}") from error
    cases = document.get("cases") if isinstance(document, dict) else document
    if not isinstance(cases, list):
        raise ConformanceFileError(f"{path}: a list of cases, or an object with one, is expected")
    return cases


def evaluate(cases: Sequence[Any], folder: Path) -> list[Result]:
    """One result a case, in order; a case that cannot be evaluated fails and says why.

    `folder` is the one that the cases' file lies in; the `file` of a case is relative to the
    folder above it.
    """
    above = folder.resolve().parent
    return [_evaluated(at, case, above) for at, case in enumerate(cases, start=1)]


def _evaluated(at: int, case: Any, above: Path) -> Result:
    if not isinstance(case, Mapping):
        return Result(f"case {at}", "an object", _shown(case), passed=False)
    name = str(case.get("id", f"case {at}"))
    expect = case.get("expect")
    if not isinstance(expect, Mapping) or not expect:
        return Result(name, "an answer to compare with", "nothing in `expect`", passed=False)
    try:
        answers = _answers(case, above)
        compared = [_compared(key, wanted, answers) for key, wanted in expect.items()]
    except _WRONG_INPUT as error:
        got = f"{type(error).__name__}: {error}"
        return Result(name, _shown(expect), got, passed=False)
    return Result(
        name,
        _shown(expect),
        ", ".join(f"{key}={shown}" for key, (shown, _) in zip(expect, compared, strict=True)),
        all(same for _, same in compared),
    )


def _answers(case: Mapping[str, Any], above: Path) -> Answers:
    kind = str(case.get("kind"))
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}")
    given = dict(case["given"])
    if "file" in given:
        given["rows"] = _rows(above / given["file"], given["column"])
    return KINDS[kind](given, with_knobs(STANDARD, case.get("policy") or {}))


def _rows(path: Path, column: str) -> list[tuple[str, Decimal | None]]:
    """(objective, grade) of each row; all of one objective where the file names none."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            (
                row.get("objective") or "",
                number(row[column].strip()) if row[column].strip() else None,
            )
            for row in csv.DictReader(file)
        ]


def _compared(key: str, wanted: Any, answers: Answers) -> tuple[str, bool]:
    """The answer as text in the form that is asked for, and whether it is the wanted one."""
    if key in answers:
        return _shown(_asked(answers[key], wanted)), _same(wanted, answers[key])
    printed = _PRINTED.fullmatch(key)
    if printed is None or printed[1] not in answers:
        return "unknown expectation", False
    places = int(printed[2] or printed[4] or 0)
    answer = _as_printed(answers[printed[1]], printed[3] is not None, places)
    return _shown(answer), _same(wanted, answer)


def _asked(answer: Any, wanted: Any) -> Any:
    """Of an answer with several names only those that are asked for."""
    if isinstance(answer, Mapping) and isinstance(wanted, Mapping):
        return {name: answer[name] for name in wanted if name in answer}
    return answer


def _as_printed(answer: Any, percent: bool, places: int) -> Any:
    """Figures as the source prints them: half-up, with all their places."""
    if isinstance(answer, list):
        return [_as_printed(each, percent, places) for each in answer]
    if not isinstance(answer, Decimal):
        return answer
    return format(half_up(multiply(answer, _HUNDRED) if percent else answer, places), "f")


def _same(wanted: Any, got: Any) -> bool:
    if isinstance(got, list):
        return (
            isinstance(wanted, list)
            and len(wanted) == len(got)
            and all(_same(each, answer) for each, answer in zip(wanted, got, strict=True))
        )
    if isinstance(got, Mapping):
        return isinstance(wanted, Mapping) and all(
            name in got and _same(each, got[name]) for name, each in wanted.items()
        )
    if isinstance(got, bool) or got is None:
        return wanted is got
    try:
        figure, answer = number(wanted), number(got)
    except (TypeError, ValueError, InvalidOperation):
        return bool(wanted == got)
    return figure in (answer, rounded(answer))


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, Decimal):
        return text(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_shown(each)}" for name, each in value.items())
    if isinstance(value, list):
        return f"[{', '.join(_shown(each) for each in value)}]"
    return str(value)
