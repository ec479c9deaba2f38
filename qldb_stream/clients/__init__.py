"""Clients of AWS's services; each is imported by name, because each needs an extra."""
