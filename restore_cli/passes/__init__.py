"""Ways of one picture, or of some of one size, through a network: whole, in tiles, or step by step."""
