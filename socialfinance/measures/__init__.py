"""Flows in, figures per path out."""
