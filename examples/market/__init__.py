"""The parts of examples/market_graph.py and examples/market_service.py, one concept a file.

command_line    options that both programs have; service_options, graph_options: the others
recording       the recorded day: reading and checking it
feed            replays the recording at its own pace, or faster
hub             latest quotes and trades, and who gets which tick
subscribers     their queues, and what happens to one that is too slow
web_service     an aiohttp application: page, routes, counts; service: the hub's
load            the clients, in a process of their own; load_process: the service's end of it
measure         latency histograms, numbers for people
report          the table at the end
progress        the live line
loops           runs it all on the loop that was asked for
make_ticks      made the recording
page.html       what a browser sees
websocket       a WebSocket with a queue behind it
interrupts      Ctrl-C as an event

and of the graph alone:
graph           the csp graph: trades in, bars and statistics out
live            the graph between a feed and those who look, in one thread
backtest        the same graph over the recording, in simulation
board           what the graph has put out; board_service: its web service; chart.html: its page
audience        built-in viewers and HTTP clients
picture         the PNG of a run
summary         the screen at the end
"""
