"""restore: upscale and brighten pictures with small published networks, faithfully and fast."""

__version__ = "0.1.0"
