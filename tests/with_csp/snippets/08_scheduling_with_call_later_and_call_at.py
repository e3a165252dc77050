from datetime import datetime, timedelta

bridge = AsyncioBridge(str, "events")
bridge.start()

# Schedule callback after delay
bridge.call_later(1.0, lambda: bridge.push("after 1 second"))

# Schedule at specific datetime
target_time = datetime.utcnow() + timedelta(seconds=2)
bridge.call_at(target_time, lambda: bridge.push("at specific time"))

# Schedule at offset from start time (aligned with CSP time)
bridge.call_at_offset(
    timedelta(milliseconds=500),
    lambda: bridge.push("at 500ms from start")
)
