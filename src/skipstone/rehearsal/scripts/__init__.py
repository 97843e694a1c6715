"""Programs of a rehearsal that run apart from it: two of them on the Python of a release's own code.

They need nothing of Skipstone, work on Python 3.9, and end with the process that started them, however
that ends.
"""
