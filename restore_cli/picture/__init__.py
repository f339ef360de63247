"""Pictures in and out: the only place that opens a picture file.

Importing this package loads NumPy, Pillow and libvips; `restore_cli.picture.formats` alone is plain data.
"""
