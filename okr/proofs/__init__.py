"""What proves that a ledger was not altered: hashes, proofs and signed checkpoints.

Pure, and shared by callers and servers. `leaf` says which bytes of an event are hashed, `tree` how
hashes become one root and what proves that an event or an earlier root is in it, `note` how a text
is signed, and `checkpoint` which text says what a ledger was.
"""
