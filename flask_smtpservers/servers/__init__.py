"""What a server is, the rules for its fields, and where it is kept."""
