"""Requests about people: registered under pseudonyms, and erased."""

from __future__ import annotations

from ledger.circumstances import decision_of
from ledger.context import Context
from ledger.event import Decision, NewEvent
from ledger.refusals import NotErasable, NotFound, PersonErased, invalid
from ledger.texts.keyring import ERASED_NAMES, erased_name
from ledger.texts.sealing import is_service
from ledger.values import ALWAYS, new_name, personal
from ledger.view import View
from okr.v1 import events_pb2 as facts
from okr.v1 import ledger_service_pb2 as api

PEOPLE = "people"


def register(view: View, request: api.RegisterPersonRequest, context: Context) -> Decision:
    """Registers a person under a pseudonym.

    Raises:
        Exists: the id is taken.
        PersonErased: somebody who was erased had it.
        FieldInvalid: the id is one that only the erased have.
    """
    name = new_name(PEOPLE, request.person_id, context)
    if name.startswith(ERASED_NAMES):
        raise invalid("person_id", "person_id.erased", "stands for somebody who was erased")
    known = view.find_person(name)
    if known is not None and known.erased:
        raise PersonErased(name)
    view.vacant(name)
    fact = facts.PersonRegistered(person=name, display_name=personal(request.display_name))
    return decision_of([NewEvent(name, fact)], request, context, ALWAYS)


def erase(view: View, request: api.ErasePersonRequest, context: Context) -> Decision:
    """Erases what the ledger keeps of a person: their key is destroyed once this is recorded.

    Of somebody who was never registered the event has the name that reads from then on, and not
    the one that is to be forgotten.

    Raises:
        NotErasable: the ledger keeps texts in the clear, or kept all of this person's so.
        NotFound: nobody of that name was registered, acted, or was named; or no successor.
        PersonErased: they were erased already, or the successor was.
        FieldInvalid: a service is no person, and nobody succeeds themselves.
    """
    key = context.key_of(request.name)
    if key is None:
        raise NotErasable(request.name)
    if is_service(request.name):
        raise invalid("name", "name.person", "is a service, and no person")
    person = view.find_person(request.name)
    name = request.name
    if person is None:
        if not key:
            raise NotFound(request.name)
        name = erased_name(key)
        person = view.find_person(name)
    if person is not None and person.erased:
        raise PersonErased(request.name)
    if not key:
        raise NotErasable(request.name)
    if request.successor:
        if request.successor == request.name:
            raise invalid("successor", "successor.differs", "must be somebody else")
        if view.person(request.successor).erased:
            raise PersonErased(request.successor)
    fact = facts.PersonErased(person=name, successor=request.successor, key=key)
    return decision_of([NewEvent(name, fact)], request, context, ALWAYS)
