"""Numbers in, numbers out: nothing here knows a deal, a party or a file."""
