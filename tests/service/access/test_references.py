"""No field of the API can carry a resource name without being known to."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default

from okr.v1 import (
    audit_service_pb2,
    events_pb2,
    ledger_service_pb2,
    operations_service_pb2,
    replay_service_pb2,
    score_service_pb2,
)
from service.access.references import IDS, MENTIONS, REFERENCES, WORDS, below

FILES = (
    audit_service_pb2,
    ledger_service_pb2,
    operations_service_pb2,
    replay_service_pb2,
    score_service_pb2,
)

BYTES = {
    # Read as what they are by the pruning of an event, and of errors.
    *("okr.v1.Event.metadata", "okr.v1.Event.payload", "google.protobuf.Any.value"),
    # Of numbers, and of text that nobody can read.
    *("okr.v1.CycleSealed.key_result_digest", "okr.v1.Seal.key_result_digest"),
    *("okr.v1.EncryptedText.ciphertext", "okr.v1.EncryptedText.nonce"),
    *("okr.v1.Checkpoint.root", "okr.v1.ConsistencyProof.hashes"),
    *("okr.v1.InclusionProof.hashes", "okr.v1.InclusionProof.leaf_hash"),
    "okr.v1.EncryptedText.place",
}
ANY = {"okr.v1.Event.decoded_payload", "google.rpc.Status.details"}


def types() -> Iterator[Descriptor]:
    """Every type of messages that a caller can get or send, or that is in the ledger."""
    roots: list[Descriptor] = [*events_pb2.DESCRIPTOR.message_types_by_name.values()]
    for file in FILES:
        for name in file.DESCRIPTOR.services_by_name:
            for method in Default().FindServiceByName(f"okr.v1.{name}").methods:
                roots += (method.input_type, method.output_type)
    found: dict[str, Descriptor] = {}
    for root in roots:
        if root.full_name not in found:
            found |= {kind.full_name: kind for kind in below(root)}
    yield from found.values()


def texts() -> set[str]:
    return {
        f.name for kind in types() for f in kind.fields if f.type == FieldDescriptor.TYPE_STRING
    }


def test_every_field_of_text_is_known_to_name_resources_or_none() -> None:
    assert texts() - REFERENCES - IDS - WORDS == set()


def test_nothing_is_declared_that_is_no_field() -> None:
    assert (REFERENCES | IDS | WORDS) - texts() == set()


def test_no_field_is_declared_twice() -> None:
    assert MENTIONS <= REFERENCES
    assert REFERENCES & WORDS == REFERENCES & IDS == IDS & WORDS == set()


def test_bytes_and_messages_of_any_type_are_known() -> None:
    fields = [f for kind in types() for f in kind.fields]
    assert {f.full_name for f in fields if f.type == FieldDescriptor.TYPE_BYTES} <= BYTES
    any_ = {f.full_name for f in fields if f.message_type and f.message_type.name == "Any"}
    assert any_ == ANY


def test_no_message_is_a_map() -> None:
    assert [kind.full_name for kind in types() if kind.GetOptions().map_entry] == []
