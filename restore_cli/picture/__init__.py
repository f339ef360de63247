"""Pictures in and out: the only place that opens a picture file.

Importing the package itself loads nothing, and `formats` in it needs neither NumPy nor Pillow nor libvips.
"""
