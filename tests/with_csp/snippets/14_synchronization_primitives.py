import asyncio
import csp.event_loop as csp_event_loop

async def main():
    # Locks
    lock = asyncio.Lock()
    async with lock:
        print("Holding lock")

    # Events
    event = asyncio.Event()
    event.set()
    await event.wait()

    # Semaphores
    sem = asyncio.Semaphore(3)
    async with sem:
        print("Acquired semaphore")

    # Conditions
    condition = asyncio.Condition()
    async with condition:
        condition.notify_all()

csp_event_loop.run(main())
