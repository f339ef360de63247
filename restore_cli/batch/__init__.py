"""A batch: what is to be done, by whom, what became of it, and where that is kept."""
