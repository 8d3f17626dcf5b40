"""The world's dated tables with their sources: what money costs, and on which day that was true."""
