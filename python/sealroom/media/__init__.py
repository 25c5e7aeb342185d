"""Media between Python and the native core: negotiation, transports, codecs and tracks.

The submodules are imported one by one because aiortc and PyAV take half a second to load and a
program that only manages rooms needs neither.
"""
