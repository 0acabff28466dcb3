// An app of yours that has prometei-flow create a deal and goes on with the ERP's reply: npm install inngest@4
import { createServer } from "node:http";
import { eventType, Inngest, referenceFunction, staticSchema } from "inngest";
import { serve } from "inngest/node";
import type { CreateDeal, CreateDealResult } from "../events";

const inngest = new Inngest({ id: "my-shop" });
const orderPaid = eventType("shop/order-paid", { schema: staticSchema<{ order: number; total: number }>() });
const createCrmDeal = referenceFunction({
  appId: "prometei-flow",
  functionId: "create-crm-deal",
  schemas: { data: staticSchema<CreateDeal>(), return: staticSchema<CreateDealResult>() },
});

const deal = inngest.createFunction({ id: "deal-of-order", triggers: [orderPaid] }, async ({ event, step }) => {
  // However often this run is tried, the step is one deal. It fails when the deal's run has failed for good.
  const reply = await step.invoke("create-deal", {
    function: createCrmDeal,
    data: { dealName: `Заказ ${event.data.order}`, amount: event.data.total },
  });
  console.log(`order ${event.data.order} is record ${reply.data.id}`);
});

createServer(serve({ client: inngest, functions: [deal] })).listen(process.env["PORT"] ?? 3100);
