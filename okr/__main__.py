"""`python -m okr`: the same as the command `okr`."""

from okr.cli import main

main()
