"""The Bridge: control plane and, by default in the same process, the media server."""
