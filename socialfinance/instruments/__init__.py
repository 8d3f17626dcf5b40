"""The agreed terms: who pays whom, when, if the programme works this well. One file a structure."""
