"""What can be done to a picture with networks, apart from any file."""
