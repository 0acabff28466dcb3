// The same functions as inngest/examples/differential.rs, in the official SDK. Listens on PORT.
import { createServer } from "node:http";
import { Inngest, NonRetriableError, RetryAfterError } from "inngest";
import { serve } from "inngest/node";

// Checkpointing is off: it would save steps through an API that is not there.
const inngest = new Inngest({ id: "app", isDev: true, checkpointing: false, logger: quiet() });

const functions = [];
const define = (id, run) =>
  functions.push(inngest.createFunction({ id, triggers: [{ event: "demo/sent" }], retries: 3 }, run));

define("plain", async ({ event }) => event.data);
define("one", async ({ step }) => await step.run("a", () => ({ n: 1 })));
define("parallel", async ({ step }) =>
  await Promise.all([1, 2, 3].map((n) => step.run(`p${n}`, () => n))));
define("sleep", async ({ step }) => {
  await step.sleep("nap", 1500);
  return "rested";
});
define("wait", async ({ step }) => {
  const event = await step.waitForEvent("wait", { event: "demo/other", timeout: "60s", match: "data.id" });
  return event && event.data;
});
define("invoke", async ({ step }) =>
  await step.invoke("call", { function: functions[0], data: { x: 1 }, timeout: "60s" }));
define("caught", async ({ step }) => {
  try {
    return await step.run("fails", () => {
      throw new Error("card declined");
    });
  } catch (error) {
    return `caught ${error.message}`;
  }
});
define("uncaught", async ({ step }) =>
  await step.run("fails", () => {
    throw new Error("card declined");
  }));
define("final", async () => {
  throw new NonRetriableError("never again");
});
define("retriable", async () => {
  throw new Error("not now");
});
define("final-step", async ({ step }) =>
  await step.run("fails", () => {
    throw new NonRetriableError("never again");
  }));
define("later", async () => {
  throw new RetryAfterError("later", 90_000);
});
define("later-step", async ({ step }) =>
  await step.run("fails", () => {
    throw new RetryAfterError("later", 90_000);
  }));
define("repeated", async ({ step }) => {
  const first = await step.run("a", () => 1);
  await step.sleep("a", 1000);
  const second = await step.run("a", () => 2);
  return [first, second];
});
define("nested", async ({ step }) => await step.run("a", () => ({ data: 1 })));
define("mixed", async ({ step }) =>
  await Promise.all([step.run("a", () => 1), step.sleep("nap", 1000)]));
define("nothing", async () => {});
define("who", async ({ event }) => [event.user ?? {}, event.v ?? null, event.ts]);
define("input", async ({ step }) => await step.run("double", (n) => n * 2, 4));
define("signal", async ({ step }) => {
  const signal = await step.waitForSignal("wait", { signal: "paid", timeout: "60s", onConflict: "fail" });
  return signal && signal.data;
});
define("large", async ({ step }) => {
  try {
    return (await step.run("large", () => "<".repeat(1024 * 1024))).length;
  } catch (error) {
    return error.name;
  }
});

function quiet() {
  const silent = () => {};
  return { info: silent, warn: silent, error: silent, debug: silent };
}

// A body that is no JSON is an unhandled rejection there, which would end this program.
process.on("unhandledRejection", () => {});
createServer(serve({ client: inngest, functions })).listen(Number(process.env.PORT), "127.0.0.1");
