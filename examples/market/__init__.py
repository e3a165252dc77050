"""The parts of examples/market_service.py, one concept a file.

options     the command line
recording   the recorded day: reading and checking it
feed        replays the recording at its own pace, or faster
hub         latest quotes, subscribers, and what happens to one that is too slow
service     the HTTP and WebSocket face (aiohttp)
load        the clients, in a process of their own; load_process: the service's end of it
measure     latency histograms, numbers for people
report      the table at the end
progress    the live line
loops       runs it all on the loop that was asked for
make_ticks  made the recording
page.html   what a browser sees
"""
