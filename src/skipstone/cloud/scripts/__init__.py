"""Programs that run on a cloud's hosts, sent there as text.

They only read, need nothing but Python 3.9's standard library, take one JSON argument, and print one line of
JSON: the answer, with ``problems`` for what could not be asked. ``reading`` is sent along with each; nothing
else of Skipstone is there to be imported.
"""
