// Sends a deal to prometei-flow with the official SDK: npm install inngest@4
import { eventType, Inngest, staticSchema } from "inngest";
import type { CreateDeal } from "../events";

const order = process.argv[2];
const inngest = new Inngest({ id: "my-shop" });
const createDeal = eventType("crm/create-deal", { schema: staticSchema<CreateDeal>() });

// Sent again with the same id, also after a failure, it is still one deal.
const sent = await inngest.send(
  createDeal.create({ dealName: `Заказ ${order}`, amount: 15000.5 }, { id: `my-shop-order-${order}` }),
);
console.log(sent.ids);
