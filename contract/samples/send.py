"""Sends a deal to prometei-flow with nothing but Python's standard library: send.py 1001"""

import json
import os
import sys
import urllib.request

order = sys.argv[1]
event = {
    "name": "crm/create-deal",
    # Sent again with the same id, also after a failure, it is still one deal.
    "id": f"my-shop-order-{order}",
    "data": {"dealName": f"Заказ {order}", "amount": 15000.5},
}
server = os.environ.get("INNGEST_EVENT_API_BASE_URL", "https://inn.gs")
request = urllib.request.Request(
    f"{server}/e/{os.environ['INNGEST_EVENT_KEY']}",
    data=json.dumps(event).encode(),
    headers={"Content-Type": "application/json"},
)
# It raises an exception unless the answer is 200: then send again.
with urllib.request.urlopen(request, timeout=30) as answer:
    print(answer.read().decode())
