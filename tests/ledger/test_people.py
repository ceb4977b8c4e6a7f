"""People: registered under a pseudonym, and erased."""

from ledger.refusals import Exists, FieldInvalid, NotErasable, NotFound, PersonErased
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import PersonalText
from tests.support import ask
from tests.support.scenario import Scenario

KEYS = {
    "people/p": "keys/ppppppppqqqqqqqq",
    "people/q": "keys/q",
    "Kis Bea": "keys/bbbbbbbbcccccccc",
}
UNREGISTERED = "people/erased-bbbbbbbb"


def ledger() -> Scenario:
    return Scenario(keys=dict(KEYS)).given(ask.register())


def test_a_person_is_registered_with_the_name_to_show() -> None:
    Scenario().when(ask.register("x", "Árvíz Ödön")).then(
        facts.PersonRegistered(person="people/x", display_name=PersonalText(plain="Árvíz Ödön"))
    )


def test_the_server_makes_an_id_that_is_no_name() -> None:
    made = Scenario().when(ask.register("")).then_it_is(facts.PersonRegistered)

    assert made.person == "people/made-0"


def test_an_id_is_given_once() -> None:
    ledger().when(ask.register()).then_refused(Exists, resource="people/p")


def test_an_id_is_not_given_again_after_an_erasure() -> None:
    ledger().given(ask.erase()).when(ask.register()).then_refused(PersonErased)


def test_nobody_is_registered_as_one_of_the_erased() -> None:
    Scenario().when(ask.register("erased-x")).then_invalid("person_id")


def test_an_erasure_names_the_key_and_who_answers_from_then_on() -> None:
    ledger().given(ask.register("q")).when(ask.erase(successor="people/q")).then(
        facts.PersonErased(person="people/p", successor="people/q", key="keys/ppppppppqqqqqqqq")
    )


def test_the_erasure_of_somebody_unregistered_does_not_say_who_it_was() -> None:
    scenario = ledger().when(ask.erase("Kis Bea"))

    scenario.then(facts.PersonErased(person=UNREGISTERED, key="keys/bbbbbbbbcccccccc"))
    assert scenario.records[-1].stream == UNREGISTERED
    scenario.when(ask.erase("Kis Bea")).then_refused(PersonErased)
    scenario.when(ask.erase(UNREGISTERED)).then_refused(PersonErased)


def test_who_is_unknown_cannot_be_erased() -> None:
    ledger().when(ask.erase("people/nobody")).then_refused(NotFound)


def test_what_is_in_the_clear_cannot_be_erased() -> None:
    Scenario().given(ask.register()).when(ask.erase()).then_refused(NotErasable)
    Scenario(keys={}).given(ask.register()).when(ask.erase()).then_refused(NotErasable)


def test_a_service_is_no_person() -> None:
    ledger().when(ask.erase("services/crm")).then_refused(FieldInvalid)


def test_a_successor_is_somebody_else_who_is_registered_and_there() -> None:
    scenario = ledger().given(ask.register("q"))

    scenario.when(ask.erase(successor="people/p")).then_invalid("successor")
    scenario.when(ask.erase(successor="people/nobody")).then_refused(NotFound)
    scenario.given(ask.erase("people/q"))
    scenario.when(ask.erase(successor="people/q")).then_refused(PersonErased, resource="people/q")
