"""An exporter as people write it with prometheus_client: a Gauge for each family, set once, served by its own server.

It takes its series from a page of notafter, so that both serve the same ones.
"""

import re
import sys
import threading

from prometheus_client import CollectorRegistry, Gauge, start_http_server

LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)",?')
ESCAPED = re.compile(r'\\(.)')


def unescape(text):
    return ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text)


def main():
    registry = CollectorRegistry()
    helps, gauges = {}, {}
    with open(sys.argv[1], encoding="utf-8") as page:
        for line in page:
            if line.startswith("# HELP "):
                _, _, name, text = line.rstrip("\n").split(" ", 3)
                helps[name] = text
            name, brace, rest = line.partition("{")
            # Counters would get another name; they and what has no labels are a handful of lines.
            if not brace or name not in helps or name.endswith("_total"):
                continue
            labels, _, value = rest.rpartition("} ")
            pairs = LABEL.findall(labels)
            if name not in gauges:
                gauges[name] = Gauge(name, helps[name], [label for label, _ in pairs], registry=registry)
            gauges[name].labels(*(sys.intern(unescape(value)) for _, value in pairs)).set(float(value))
    server, _ = start_http_server(0, "127.0.0.1", registry)
    print(f"127.0.0.1:{server.server_port}", flush=True)
    threading.Event().wait()


main()
