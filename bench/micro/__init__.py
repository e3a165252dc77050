"""Benchmarks of a loop's own work, without sockets. worker.py runs them in a process of its own."""
