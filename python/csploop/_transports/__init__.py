"""asyncio's transports over the core's streams."""
