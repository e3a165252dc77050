import csp
from csp.event_loop import AsyncioBridge
from csp.utils.datetime import utc_now
from datetime import timedelta

# Create the bridge
bridge = AsyncioBridge(int, "data_feed")

@csp.node
def process(data: csp.ts[int]) -> csp.ts[str]:
    if csp.ticked(data):
        return f"Received {data} at {csp.now()}"

@csp.graph
def my_graph():
    # Wire the bridge's adapter into the graph
    data = bridge.adapter.out()
    result = process(data)
    csp.add_graph_output("result", result)

# Start the bridge
start_time = utc_now()
bridge.start(start_time)

# Run the CSP graph in a thread
runner = csp.run_on_thread(
    my_graph,
    realtime=True,
    starttime=start_time,
    endtime=timedelta(seconds=5)
)

# Wait for adapter to be ready
bridge.wait_for_adapter(timeout=1.0)

# Push data from asyncio
bridge.call_later(0.5, lambda: bridge.push(1))
bridge.call_later(1.0, lambda: bridge.push(2))
bridge.call_later(1.5, lambda: bridge.push(3))

# Wait for completion
results = runner.join()
bridge.stop()

print(results["result"])
