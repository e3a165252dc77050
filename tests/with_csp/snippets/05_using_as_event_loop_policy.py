import asyncio
import csp.event_loop as csp_event_loop

# Set CSP as the event loop policy
asyncio.set_event_loop_policy(csp_event_loop.EventLoopPolicy())

# Now all asyncio operations use CSP's event loop
async def main():
    await asyncio.sleep(0.1)
    return "Hello!"

# This will use CSP's event loop
result = asyncio.run(main())
