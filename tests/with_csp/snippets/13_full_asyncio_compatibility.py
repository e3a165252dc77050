import asyncio
import csp.event_loop as csp_event_loop

async def producer(queue):
    for i in range(5):
        await asyncio.sleep(0.1)
        await queue.put(i)
    await queue.put(None)  # Signal end

async def consumer(queue):
    results = []
    while True:
        item = await queue.get()
        if item is None:
            break
        results.append(item)
    return results

async def main():
    queue = asyncio.Queue()

    # Run producer and consumer concurrently
    producer_task = asyncio.create_task(producer(queue))
    consumer_task = asyncio.create_task(consumer(queue))

    await producer_task
    results = await consumer_task

    return results

results = csp_event_loop.run(main())
print(results)  # [0, 1, 2, 3, 4]
