"""Exports of a ledger: the file's form, how it is written, read and checked.

`okr/v1/export.proto` says which bytes these are. `links` chains the parts of an export, `tally`
keeps what it holds so far, `reading` reads a file part by part, `writing` makes the parts, and
`checking` holds files against each other and against signed checkpoints. Callers and servers share
it.
"""
