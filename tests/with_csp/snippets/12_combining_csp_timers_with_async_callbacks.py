@csp.node
def combine(timer: csp.ts[bool], async_data: csp.ts[str]) -> csp.ts[str]:
    if csp.ticked(timer):
        return "timer tick"
    if csp.ticked(async_data):
        return f"async: {async_data}"

@csp.graph
def my_graph():
    # CSP's timer fires every 100ms
    timer = csp.timer(timedelta(milliseconds=100))
    # Async data comes from the bridge
    async_data = bridge.adapter.out()

    result = combine(timer, async_data)
    csp.add_graph_output("events", result)

# Schedule async callbacks at different intervals
bridge.call_later(0.05, lambda: bridge.push("early"))
bridge.call_later(0.15, lambda: bridge.push("middle"))
bridge.call_later(0.25, lambda: bridge.push("late"))

# The graph receives interleaved timer and async events
