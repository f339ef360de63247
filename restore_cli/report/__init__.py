"""What became of a batch, as a page to look at and to keep."""
