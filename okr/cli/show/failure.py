"""A failed call for people: what happened, which field or rule, what to do next."""

from __future__ import annotations

from typing import Final

import grpc
from rich.console import Group, RenderableType
from rich.text import Text

from okr.cli.show import marks
from okr.errors import OkrError

NEXT: Final = {
    "FIELD_INVALID": "Correct what is named above and send it again.",
    "FIELD_UNKNOWN": "The server is older than this program: update the server.",
    "RESOURCE_NOT_FOUND": "Look for the right name: okr cycle list, okr team list, "
    "okr objective list CYCLE. With --as-of: it may not have been known then.",
    "RESOURCE_EXISTS": "Choose another id: ids are never used again, not even of dropped things.",
    "REQUEST_ID_REUSED": "This id belongs to another request. Leave --request-id out, or give a "
    "new one.",
    "ETAG_MISMATCH": "Read it again, decide again, and send the new etag.",
    "REASON_REQUIRED": "Give --reason TEXT and --category CATEGORY: the plan is committed.",
    "CYCLE_STATE": "okr cycle show CYCLE tells its state: commit a draft with okr cycle commit,"
    " amend or reopen a sealed one with okr cycle amend or okr cycle reopen.",
    "OBJECTIVE_STATE": "okr objective show OBJECTIVE tells its state.",
    "KEY_RESULT_STATE": "okr key-result show KEY-RESULT tells its state; "
    "okr key-result restore brings a dropped one back.",
    "TEAM_RETIRED": "Choose a team that is not retired: okr team list.",
    "ALIGNMENT_CYCLE": "Take one of the alignments on the way back first: okr unalign.",
    "ALIGNMENT_SECOND_PARENT": "Take the present one back first (okr unalign), "
    "or align with --supports.",
    "DAY_OUTSIDE_CYCLE": "Give a day of the cycle: --on DAY.",
    "DAY_IN_FUTURE": "Give today or an earlier day: --on DAY.",
    "MEASURE_FIXED": "Add a new key result with the other measure and drop this one.",
    "CHECK_IN_RETRACTED": "Record a new check-in: a retraction is final.",
    "TRAJECTORY_MISFIT": "Give --trajectory together with the change, or --trajectory linear.",
    "TEAM_TREE_CYCLE": "Choose another parent: okr team list shows the tree.",
    "ALIGNMENT_CYCLES_DISJOINT": "Align to an objective of the same cycle, or of one around it.",
    "ALIGNMENT_STATE": "okr alignments CYCLE lists what is aligned to what.",
    "NOTHING_TO_CHANGE": "It already is as asked.",
    "APPROVAL_REQUIRED": "Propose it: okr propose CYCLE; another person then approves it.",
    "ADJUSTMENT_STATE": "okr adjustments CYCLE tells who decided on it and why.",
    "OWN_PROPOSAL": "Ask another person to approve it. You may withdraw it: okr reject.",
    "PERSON_ERASED": "Nothing is recorded under this name any more: name somebody else.",
    "NOT_ERASABLE": "Tell the operator: the ledger keeps personal text in the clear.",
    "PROPOSAL_OUTDATED": "Look at what changed (okr events), reject this one and propose again.",
    "CARRY_OVER_NOT_LATER": "Choose an objective of a cycle that begins later.",
    "PAGE_TOKEN_INVALID": "List again from the first page.",
    "TOKEN_FOREIGN": "The token is of another ledger: read again without it.",
    "TOKEN_LOST": "The ledger was restored from a backup: read again.",
    "POSITION_AHEAD": "okr status tells the last position.",
    "INSTANT_OUT_OF_RANGE": "okr events tells the times of the first and the last event.",
    "INSTANTS_REVERSED": "Begin earlier or end later: --from must not lie after --to, neither its "
    "day nor what was known.",
    "PROJECTION_STOPPED": "Tell the operator: okr status shows where it stopped.",
    "DEADLINE_PASSED": "Nothing was written: send it again, or wait longer with --timeout.",
    "ANSWER_TOO_LARGE": "Ask for a smaller part: --team TEAM, or --limit.",
    "REPLAY_TOO_LARGE": "Replay a team: --team TEAM.",
    "REQUEST_TOO_LARGE": "Send it in smaller parts: the limit is 4 MiB.",
    "CONTENDED": "Send the same again: others were faster this time.",
    "OVERLOADED": "Wait a moment and send the same again.",
    "CLOCK_BEHIND": "Tell the operator: the server's clock must be set.",
    "LOG_UNAVAILABLE": "Tell the operator: the server's disk may be full or its database down."
    " Nothing was written.",
    "OUTCOME_UNKNOWN": "Send it again with the same request id: it counts once.",
    "READ_MODELS_UNAVAILABLE": "Read again in a moment. If it stays: tell the operator that the "
    "database is down.",
    "SHUTTING_DOWN": "Send the same again when the server is back.",
    "UNAUTHENTICATED": "Get a token that the server takes: `okr-ledger identity check` tells the "
    "server's operator why it does not take this one.",
    "IMPERSONATION": "Leave --actor out: your token or certificate says who you are. Only "
    "services give --on-behalf-of.",
    "NOT_PERMITTED": "Ask the operator for a role that permits it. The name may be wrong, too: "
    "what you may not do is refused alike whether the thing exists or not.",
    "QUOTA_EXCEEDED": "Make fewer calls at a time, or fewer a second; the operator sets how many.",
    "PROOFS_OFF": "Tell the operator: proofs are not turned on at this server.",
    "PROOF_NOT_READY": "Ask again in a moment: a checkpoint is signed now and then.",
    "KEYS_UNAVAILABLE": "Send it again in a moment. If it stays: tell the operator that the "
    "issuer's keys cannot be fetched.",
    "INTERNAL": "Tell the operator the incident's id; it is in the server's log.",
}

NEXT_BY_RULE: Final = {
    "credential.missing": "Show who you are: put a token into a file and name it with --token-file "
    "or OKR_TOKEN_FILE, or show a certificate with --cert-file and --key-file.",
    "token.expired": "Get a new token and put it into the place of the old one: the file that "
    "OKR_TOKEN_FILE names, or OKR_TOKEN.",
    "token.early": "Compare this machine's clock with the server's: the token begins later.",
    "token.pseudonym": "Tell the operator: the server has no key to make pseudonyms with.",
    "certificate.unknown": "Ask the operator to give your certificate a name.",
}


def renderable(error: OkrError, address: str) -> RenderableType:
    """The failure in a few lines."""
    lines: list[RenderableType] = []
    if error.reason:
        lines.append(Text.assemble(("refused ", "bold red"), (error.reason, "red")))
        if not error.violations:
            lines.append(f"  {error.message}")
    else:
        lines.append(Text.assemble(("no answer ", "bold red"), (error.code.name, "red")))
        lines.append(f"  {_plainly(error, address)}")
    named = marks.table("field", "what is wrong")
    for violation in error.violations:
        named.add_row(violation.field, violation.description)
    if error.violations:
        lines.append(marks.indented(named))
    facts = ", ".join(
        f"{key} {value}"
        for key, value in sorted(error.metadata.items())
        if value not in error.message
    )
    if facts:
        lines.append(Text(f"  {facts}", style="dim"))
    if error.retry_after is not None:
        lines.append(f"  Try again in {error.retry_after:g} s.")
    rule = error.metadata.get("rule", "")
    if hint := NEXT_BY_RULE.get(rule) or NEXT.get(error.reason):
        lines.append(Text(f"  → {hint}", style="cyan"))
    if error.code is grpc.StatusCode.DEADLINE_EXCEEDED and error.request_id:
        again = f"  → It may have been written. Repeat it with --request-id {error.request_id}"
        lines.append(Text(again, style="cyan"))
    return Group(*lines)


def _plainly(error: OkrError, address: str) -> str:
    match error.code:
        case grpc.StatusCode.UNAVAILABLE if "handshake" in error.message.lower():
            return (
                f"{address} answers, but not over TLS with a certificate that is trusted here: "
                "--ca-file names whom to trust, --cert-file what to show."
            )
        case grpc.StatusCode.UNAVAILABLE:
            return (
                f"Nothing answers at {address}. Start a server with `make serve`, or name "
                "another address with --address or OKR_ADDRESS."
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"{address} did not answer in time; --timeout gives it longer."
    return error.message
