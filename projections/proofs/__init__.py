"""The ledger's Merkle tree: kept up with the log, signed at times, and asked for proofs."""
