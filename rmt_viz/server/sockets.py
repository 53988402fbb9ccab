"""The server's sockets: what is written goes out at once."""

import os
import socket
import stat
from contextlib import suppress

DESCRIPTORS = "/dev/fd"  # Linux and macOS


def send_at_once(port: int) -> int:
    """Set TCP_NODELAY on the sockets bound to a port, from which those that they accept have it; how many there are.

    asyncio does so only for sockets whose protocol is named, and Streamlit's is not. An answer is two writes, headers
    and body, and on a connection that stays open the second waits 40 ms for the first to be acknowledged.
    """
    found = 0
    for name in os.listdir(DESCRIPTORS) if os.path.isdir(DESCRIPTORS) else ():
        with suppress(OSError):  # the folder's own descriptor is closed by now; no socket has a port otherwise
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                with socket.socket(fileno=os.dup(int(name))) as one:
                    if one.family in (socket.AF_INET, socket.AF_INET6) and one.getsockname()[1] == port:
                        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        found += 1
    return found
