async def main():
    async with aiofiles.open('file.txt') as f:
        content = await f.read()
