import asyncio
import csp.event_loop as csp_event_loop
import time

def blocking_io():
    time.sleep(0.1)
    return "data"

async def main():
    loop = asyncio.get_running_loop()

    # Run in default executor
    result = await loop.run_in_executor(None, blocking_io)
    return result

result = csp_event_loop.run(main())
