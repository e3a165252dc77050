"""What the Python tests share: the loops they run on, peers, protocols, leak checks."""
