"""Drivers, their dependence, and where their values come from."""
