import csp.event_loop as csp_event_loop

async def main():
    print("Hello from CSP asyncio!")
    await asyncio.sleep(1)
    return "done"

result = csp_event_loop.run(main())
print(result)  # "done"
