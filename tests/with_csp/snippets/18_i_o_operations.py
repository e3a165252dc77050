import asyncio
import socket
import csp.event_loop as csp_event_loop

async def main():
    loop = asyncio.get_running_loop()

    # Create a socket
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)

    # Connect asynchronously
    try:
        await loop.sock_connect(sock, ('example.com', 80))

        # Send data
        await loop.sock_sendall(sock, b'GET / HTTP/1.0\r\n\r\n')

        # Receive data
        data = await loop.sock_recv(sock, 1024)
        return data[:50]
    finally:
        sock.close()

# result = csp_event_loop.run(main())
