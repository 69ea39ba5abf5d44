"""The audit log: records, the Merkle tree over them, signed heads, and offline verification of receipts and copies."""
