from csp.impl.async_adapter import is_csp_asyncio_mode, get_csp_asyncio_loop

@csp.node
def my_node(x: ts[int]) -> ts[int]:
    if csp.ticked(x):
        if is_csp_asyncio_mode():
            loop = get_csp_asyncio_loop()
            # We're running in asyncio mode, can schedule directly on the loop
        return x * 2
