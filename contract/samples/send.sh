#!/bin/sh
# Sends a deal to prometei-flow with curl. INNGEST_EVENT_KEY is the key of your Inngest environment.
#   send.sh 1001
# Sent again with the same `id`, also after a failure, it is still one deal.
order=${1:?which order?}
exec curl --silent --show-error --fail-with-body --max-time 30 --retry 3 \
  "${INNGEST_EVENT_API_BASE_URL:-https://inn.gs}/e/$INNGEST_EVENT_KEY" \
  --header 'Content-Type: application/json' \
  --data '{
    "name": "crm/create-deal",
    "id": "my-shop-order-'"$order"'",
    "data": { "dealName": "Заказ '"$order"'", "amount": 15000.5 }
  }'
