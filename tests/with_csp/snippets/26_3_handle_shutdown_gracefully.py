async def shutdown(loop):
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
