import csp.event_loop as csp_event_loop

async def main():
    loop = asyncio.get_running_loop()
    print(f"Debug mode: {loop.get_debug()}")

# Enable debug mode
csp_event_loop.run(main(), debug=True)

# Or set via environment variable
# PYTHONASYNCIODEBUG=1 python script.py
