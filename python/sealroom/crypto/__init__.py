"""Keys, room records and announcements: pure functions, no I/O, no native core.

Everything a Bridge hands out is untrusted until one of the `verify_` or `open_` functions here
returned it; each way to lie has an error class of its own in `errors`.
"""
