"""Text that may name a person: sealed before it is stored, opened when it is read, erasable.

Each text is encrypted with the key of one person (`sealing`), and reading opens it again with the
keys at hand (`opening`). The keys are in a store apart from the log (`store`, and `keyring` in
front of it): destroying a person's key erases their texts from every copy of the log, and leaves
each stored byte as it was.
"""
