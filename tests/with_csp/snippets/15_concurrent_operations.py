import asyncio
import csp.event_loop as csp_event_loop

async def fetch_data(url):
    await asyncio.sleep(0.1)  # Simulate network delay
    return f"data from {url}"

async def main():
    urls = ["url1", "url2", "url3"]

    # Gather results concurrently
    results = await asyncio.gather(*[fetch_data(url) for url in urls])
    return results

results = csp_event_loop.run(main())
