"""Made ready, run, kept."""
