"""The examples of docs/how-to/decide-who-may-do-what.md do what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from service.access.directory import Directory
from service.access.roles import Role, RolesFile
from service.access.rules import RULES
from tests.support.ask import AWARENESS, FOLLOWERS, abandon, add, check_in, propose, revise
from tests.support.deciding import authority, company, directory_of, permitted, principal

PAGE: Final = Path(__file__).parents[3] / "docs/how-to/decide-who-may-do-what.md"
IN_MARKETING: Final = "contributor:teams/marketing"
SHIPPED: Final = (
    *("viewer", "contributor", "editor", "cycle-administrator", "administrator", "auditor"),
    *("operator", "delegate"),
)


def example(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def directory() -> Directory:
    return directory_of(company())


def test_the_policies_do_what_the_page_says(directory: Directory) -> None:
    plain, own = authority(directory), authority(directory, example("cedar"))
    proposed = propose(revise(FOLLOWERS))
    assert not permitted(plain.access(principal(IN_MARKETING)), proposed)
    assert permitted(own.access(principal(IN_MARKETING)), proposed)

    for decides, may in ((plain, True), (own, False)):
        editor = decides.access(principal("editor"))
        assert permitted(editor, add("more", AWARENESS)) == may
        assert permitted(editor, abandon()) == may

    contractor = own.access(principal("editor", name="people/p-c01"))
    assert permitted(contractor, check_in())
    assert not permitted(contractor, revise(FOLLOWERS))

    feed = principal("metric-feed:teams/marketing", name="services/metrics")
    assert permitted(own.access(feed), check_in())
    assert not permitted(plain.access(feed), check_in())
    assert not permitted(own.access(feed), check_in("objectives/revenue/keyResults/customers"))


def test_the_roles_file_is_one(tmp_path: Path) -> None:
    file = tmp_path / "roles.toml"
    file.write_text(example("toml"))
    grants = RolesFile(file).value
    assert Role("editor", "teams/marketing") in grants.of("people/p-7f3a")
    assert Role("viewer") in grants.of("people/somebody")


def test_the_table_names_the_roles_that_there_are() -> None:
    named = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert tuple(named) == SHIPPED
    shipped = (PAGE.parents[2] / "service/access/default.cedar").read_text("utf-8")
    assert set(re.findall(r'hasTag\("([a-z-]+)"\)', shipped)) == set(SHIPPED)


def test_methods_that_the_page_names_are_methods() -> None:
    for method in re.findall(r"`((?:Get|List|Record|Stream|Batch)[A-Za-z]+)`", PAGE.read_text()):
        assert method in RULES
