# Explicitly use background thread for async operations
csp.run(my_graph, realtime=True, endtime=timedelta(seconds=2), asyncio_on_thread=True)
