<?php
// Sends a deal to prometei-flow with nothing but PHP itself: php send.php 1001
$order = $argv[1];
$event = [
    'name' => 'crm/create-deal',
    // Sent again with the same id, also after a failure, it is still one deal.
    'id' => "my-shop-order-$order",
    'data' => ['dealName' => "Заказ $order", 'amount' => 15000.5],
];
$server = getenv('INNGEST_EVENT_API_BASE_URL') ?: 'https://inn.gs';
$answer = file_get_contents($server . '/e/' . getenv('INNGEST_EVENT_KEY'), false, stream_context_create(['http' => [
    'method' => 'POST',
    'header' => 'Content-Type: application/json',
    'content' => json_encode($event, JSON_THROW_ON_ERROR),
    'timeout' => 30,
]]));
if ($answer === false) {
    exit(1); // PHP has said why. Send again, unless the status is 4xx.
}
echo $answer, PHP_EOL;
