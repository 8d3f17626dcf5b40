"""What people read: the console report, one future line by line, a replay."""
