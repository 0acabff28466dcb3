// Sends a deal to prometei-flow with nothing but Go's standard library: go run send.go 1001
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

type createDeal struct {
	DealName string  `json:"dealName"`
	Amount   float64 `json:"amount,omitempty"`
	EntityID int     `json:"entityId,omitempty"`
}

func main() {
	order := os.Args[1]
	body, err := json.Marshal(map[string]any{
		"name": "crm/create-deal",
		// Sent again with the same id, also after a failure, it is still one deal.
		"id":   "my-shop-order-" + order,
		"data": createDeal{DealName: "Заказ " + order, Amount: 15000.5},
	})
	if err != nil {
		log.Fatal(err)
	}
	server := os.Getenv("INNGEST_EVENT_API_BASE_URL")
	if server == "" {
		server = "https://inn.gs"
	}
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Post(server+"/e/"+os.Getenv("INNGEST_EVENT_KEY"), "application/json", bytes.NewReader(body))
	if err != nil {
		log.Fatal(err) // Send again.
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		log.Fatal(answer.Status, " ", string(said), err) // Send again, unless the status is 4xx.
	}
	fmt.Println(string(said))
}
