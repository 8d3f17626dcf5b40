"""Results as a workbook: sheets that a finance team reads, sums and prints."""
