import asyncio
import csp.event_loop as csp_event_loop

def my_exception_handler(loop, context):
    exception = context.get("exception")
    message = context.get("message")
    print(f"Caught exception: {exception}, message: {message}")

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(my_exception_handler)

    # This exception will be caught by our handler
    async def bad_task():
        raise ValueError("oops")

    task = asyncio.create_task(bad_task())
    await asyncio.sleep(0.1)  # Let the task run

csp_event_loop.run(main())
