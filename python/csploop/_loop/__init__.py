"""The loop, one asyncio area per file; `base` puts them together."""
