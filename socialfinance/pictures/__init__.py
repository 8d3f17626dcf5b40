"""Pictures: matplotlib figures of results, in one style, each with a text that says what it shows."""
