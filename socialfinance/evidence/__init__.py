"""Where the numbers come from, and how they learn: calibration, returns so far, open data, scorecards."""
