import csp.event_loop as csp_event_loop

loop = csp_event_loop.new_event_loop()

results = []

def my_callback(value):
    results.append(value)

# Schedule callbacks
loop.call_soon(my_callback, "immediate")
loop.call_later(0.1, my_callback, "delayed")
loop.call_soon(loop.stop)

loop.run_forever()
loop.close()

print(results)  # ["immediate"]
