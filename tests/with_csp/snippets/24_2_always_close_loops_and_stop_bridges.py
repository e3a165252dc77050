loop = csp_event_loop.new_event_loop()
try:
    loop.run_until_complete(main())
finally:
    loop.close()
