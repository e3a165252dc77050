@csp.node
def log_with_time(data: csp.ts[str]) -> csp.ts[str]:
    if csp.ticked(data):
        # csp.now() shows the engine time
        return f"[{csp.now()}] {data}"

# The bridge uses wall-clock time, but you can align with CSP start
start_time = utc_now()
bridge.start(start_time)

# This callback fires at start_time + 1 second
# which aligns with csp.now() being approximately 1 second into the run
bridge.call_at_offset(timedelta(seconds=1), lambda: bridge.push("1s mark"))
