async def fetch_data_and_push():
    """Coroutine that fetches data and pushes to CSP."""
    for i in range(5):
        await asyncio.sleep(0.2)
        # Simulate fetching data
        data = {"value": i, "timestamp": time.time()}
        bridge.push(data)

# Run the coroutine
future = bridge.run_coroutine(fetch_data_and_push())

# Optionally wait for completion
future.result(timeout=10.0)
