import csp
from datetime import timedelta
from typing import AsyncIterator
import asyncio

async def fetch_data(count: int) -> AsyncIterator[int]:
    """Async generator that fetches data."""
    for i in range(count):
        await asyncio.sleep(0.1)
        yield i * 10

@csp.graph
def my_graph():
    # Async adapters automatically use CSP's asyncio loop
    data = csp.async_for(fetch_data(5))
    csp.print("data", data)

# In realtime mode, asyncio runs on the same thread by default
csp.run(my_graph, realtime=True, endtime=timedelta(seconds=2))
