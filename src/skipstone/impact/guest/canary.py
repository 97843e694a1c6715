#!/usr/bin/env python3
"""A canary: says over HTTP that this instance lives, whom it reaches, and whether its writes end.

It needs Python 3.6 and nothing else. ``GET /`` answers one line (``docs/reference/canary.md``):

    boot=ID tick=N up=SECONDS peers=10.0.0.5:ok@12.34,10.0.0.6:lost@9.10~3.00-7.20 write=/srv:ok@12.10

All times are seconds since boot. ``GET /cgi-bin/peers?10.0.0.5,10.0.0.6`` names whom to ping, where no
``--peer`` was given; only addresses of this instance's own networks are taken, and forgotten in five minutes.
"""

import argparse
import ipaddress
import os
import socket
import socketserver
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

MOST = 8
FORGET = 300.0
PACE = 1.0
PATIENCE = 3.0
ECHO, REPLY = 8, 0
HEADER = struct.Struct("!BBHHH")


def uptime() -> float:
    """Return the seconds since boot, time asleep included, as the kernel says."""
    with open("/proc/uptime") as file:
        return float(file.read().split()[0])


class Track:
    """When something went well last, and the last time in which it did not: from one good end to the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._good: "float | None" = None
        self._bad = False
        self._past = ""

    def well(self, now: float) -> None:
        """Note that it went well."""
        with self._lock:
            if self._bad and self._good is not None:
                self._past = "~%.2f-%.2f" % (self._good, now)
            self._good, self._bad = now, False

    def ill(self) -> None:
        """Note that it did not."""
        with self._lock:
            self._bad = True

    def text(self, name: str) -> str:
        """Return the entry of the line."""
        with self._lock:
            last = "" if self._good is None else "%.2f" % self._good
            return "%s:%s@%s%s" % (name, "lost" if self._bad else "ok", last, self._past)

    def late(self, now: float) -> None:
        """Note where it has not come to its end for too long."""
        with self._lock:
            if self._good is not None and now - self._good > PATIENCE:
                self._bad = True


class Peers:
    """Whom to ping: for good where they were given, else as long as somebody names them."""

    def __init__(self, given: "list[str]") -> None:
        self._lock = threading.Lock()
        self.given = bool(given)
        self.tracks: "dict[str, Track]" = {}
        self._named: "dict[str, float]" = {}
        for address in given:
            self._take(address)

    def name(self, text: str) -> None:
        """Take the addresses of a query that are in this instance's own networks."""
        if self.given:
            return
        for part in text.split(",")[: 4 * MOST]:
            try:
                address = ipaddress.IPv4Address(part)
            except ValueError:
                continue
            if any(address in network for network in own_networks()):
                self._take(str(address))

    def _take(self, address: str) -> None:
        with self._lock:
            self._named[address] = time.monotonic()
            if address in self.tracks or len(self.tracks) >= MOST:
                return
            self.tracks[address] = Track()
        threading.Thread(target=self._watch, args=(address, self.tracks[address]), daemon=True).start()

    def _watch(self, address: str, track: Track) -> None:
        sequence = 0
        while self._wanted(address):
            due = time.monotonic() + PACE
            sequence = (sequence + 1) & 0xFFFF
            if ping(address, sequence):
                track.well(uptime())
            else:
                track.ill()
            time.sleep(max(due - time.monotonic(), 0.05))

    def _wanted(self, address: str) -> bool:
        with self._lock:
            if self.given or time.monotonic() < self._named[address] + FORGET:
                return True
            del self.tracks[address], self._named[address]
            return False

    def text(self) -> str:
        """Return the field of the line."""
        with self._lock:
            tracks = sorted(self.tracks.items())
        return ",".join(track.text(address) for address, track in tracks)


def own_networks() -> "list[ipaddress.IPv4Network]":
    """Return the IPv4 networks that are reached without a gateway."""
    found = []
    with open("/proc/net/route") as file:
        for line in file.readlines()[1:]:
            _, target, gateway, _, _, _, _, mask = line.split()[:8]
            if gateway == "00000000" and mask != "00000000":
                words = [socket.inet_ntoa(struct.pack("<L", int(word, 16))) for word in (target, mask)]
                found.append(ipaddress.IPv4Network("/".join(words), strict=False))
    return found


def ping(address: str, sequence: int) -> bool:
    """Return whether an echo was answered within a second."""
    try:
        return _ping(address, sequence)
    except OSError:
        return False


def _ping(address: str, sequence: int) -> bool:
    identity = os.getpid() & 0xFFFF
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    except PermissionError:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with sock:
        raw = sock.type == socket.SOCK_RAW
        bare = HEADER.pack(ECHO, 0, 0, identity, sequence) + bytes(8)
        sock.sendto(HEADER.pack(ECHO, 0, checksum(bare), identity, sequence) + bytes(8), (address, 0))
        until = time.monotonic() + 1
        while True:
            sock.settimeout(max(until - time.monotonic(), 0.001))
            packet, source = sock.recvfrom(2048)
            if raw:
                packet = packet[(packet[0] & 0x0F) * 4 :]
            kind, _, _, whose, number = HEADER.unpack_from(packet)
            # without root the kernel sets the identity, and gives only our own replies
            if (
                kind == REPLY
                and number == sequence
                and source[0] == address
                and (not raw or whose == identity)
            ):
                return True


def checksum(packet: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of a packet of even length."""
    total: int = sum(struct.unpack("!%dH" % (len(packet) // 2), packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def write_on(path: str, track: Track) -> None:
    """Write a few bytes and wait until they are on the disk, once a second, for ever."""
    while True:
        due = time.monotonic() + PACE
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(handle, ("%.2f\n" % uptime()).encode(), 0)
                os.fsync(handle)
            finally:
                os.close(handle)
            track.well(uptime())
        except OSError:
            track.ill()
        time.sleep(max(due - time.monotonic(), 0.05))


class Canary:
    """What this instance says of itself."""

    def __init__(self, peers: "list[str]", folders: "list[str]") -> None:
        with open("/proc/sys/kernel/random/boot_id") as file:
            self.boot = file.read().strip()
        self.tick = 0
        self.peers = Peers(peers)
        self.writes = {folder.rstrip("/") or "/": Track() for folder in folders}
        for folder, track in self.writes.items():
            path = os.path.join(folder, ".skipstone-canary")
            threading.Thread(target=write_on, args=(path, track), daemon=True).start()

    def line(self) -> str:
        """Return the line."""
        self.tick += 1
        now = uptime()
        text = "boot=%s tick=%d up=%.2f peers=%s" % (self.boot, self.tick, now, self.peers.text())
        for track in self.writes.values():
            track.late(now)
        writes = ",".join(track.text(folder) for folder, track in self.writes.items())
        return text + (" write=" + writes if writes else "") + "\n"


def handler_of(canary: Canary) -> "type[BaseHTTPRequestHandler]":
    """Return what answers requests."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/cgi-bin/peers":
                canary.peers.name(query)
            elif path != "/":
                self.send_error(404)
                return
            body = canary.line().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Keep quiet: it is asked twice a second."""

    return Handler


class Server(socketserver.ThreadingMixIn, HTTPServer):
    """One thread for each request, so that a slow client holds up nobody."""

    daemon_threads = True
    request_queue_size = 64


def main(arguments: "list[str] | None" = None) -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(
        description="Says that this instance lives, whom it reaches, what it writes."
    )
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--peer", metavar="IPV4", action="append", default=[], help="whom to ping")
    parser.add_argument(
        "--write", metavar="FOLDER", action="append", default=[], help="where to write and sync"
    )
    options = parser.parse_args(arguments)
    for folder in options.write:
        if not os.path.isdir(folder) or set(folder) & set(" ,:@~"):
            parser.error("not a folder that can be named in the line: %s" % folder)
    Server(("", options.port), handler_of(Canary(options.peer, options.write))).serve_forever()


if __name__ == "__main__":
    main()
