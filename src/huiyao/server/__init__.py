"""uvicorn as we run it: sockets, worker processes, silent connections, a clean stop. Knows no application."""
