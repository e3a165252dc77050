from csp.event_loop import new_event_loop

loop = new_event_loop()
try:
    result = loop.run_until_complete(my_coroutine())
finally:
    loop.close()
