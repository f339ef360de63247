"""Published blocks, most of which the networks here are built of; each file names its paper and its source."""
