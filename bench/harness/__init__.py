"""What bench/run.py and bench/hot.py are made of."""
