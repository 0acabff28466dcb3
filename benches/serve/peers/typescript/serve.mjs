// The same two functions on the official TypeScript SDK.
import { createServer } from "node:http";
import { Inngest } from "inngest";
import { serve } from "inngest/node";

const client = new Inngest({ id: "prometei-flow", checkpointing: false });

const unsaved = () => {
  throw new Error("every step of this function comes with its result");
};

const webhook = client.createFunction(
  { id: "amocrm-webhook", triggers: [{ event: "amocrm/webhook" }] },
  async ({ event, step }) => {
    const lead = await step.run("fetch-lead-data", unsaved);
    const task = await step.run("create-erp-task", unsaved);
    return { success: lead.id === event.data.leadId, lead, reply: task.reply };
  },
);

const createDeal = client.createFunction(
  { id: "create-crm-deal", triggers: [{ event: "crm/create-deal" }] },
  ({ step }) =>
    step.run("create-erp-task", async () => {
      const reply = await fetch(process.env.UPSTREAM, { method: "POST", body: '{"action":"insert"}' });
      return reply.json();
    }),
);

createServer(serve({ client, functions: [webhook, createDeal] })).listen(Number(process.env.PORT), "127.0.0.1");
