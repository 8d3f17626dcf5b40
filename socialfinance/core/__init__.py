"""Time, parties, the ledger, the base of all terms, and errors: what every other room leans on."""
