"""The ledger's proofs as a server has them: the keys that sign, the thread that keeps the tree."""
