import csp.event_loop as csp_event_loop

async def main():
    # Your async code here
    pass

csp_event_loop.run(main())
