"""End-to-end encrypted real-time media: Stream Rooms whose servers can read nothing."""
