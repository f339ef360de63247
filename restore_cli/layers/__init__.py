"""The published blocks that the networks are built of; each file names its paper and its source."""
