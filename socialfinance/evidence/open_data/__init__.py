"""Outcomes and payments as open data: read, written, checked, and published with small numbers suppressed."""
