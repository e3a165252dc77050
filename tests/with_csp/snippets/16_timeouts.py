import asyncio
import csp.event_loop as csp_event_loop

async def slow_operation():
    await asyncio.sleep(10)
    return "done"

async def main():
    try:
        result = await asyncio.wait_for(slow_operation(), timeout=1.0)
    except asyncio.TimeoutError:
        result = "timeout"
    return result

result = csp_event_loop.run(main())  # "timeout"
