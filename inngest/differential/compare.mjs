// Sends every case to both apps and compares what they answer: node compare.mjs <TypeScript URL> <Rust URL>
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const [official, ours] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url)));
const hash = (id) => createHash("sha1").update(id).digest("hex");

function requestOf(test) {
  const memo = Object.entries(test.memo ?? {}).map(([id, value]) => [hash(id), value]);
  const stack = memo.map(([id]) => id);
  const event = { name: "demo/sent", data: test.data ?? {}, id: "event-1", ts: 1_795_348_658_587, ...test.event };
  const ctx = {
    run_id: "01M81HWYV2KTK2RAPW4NVTQ3GA", fn_id: "00000000-0000-4000-a000-000000000000", env: "",
    attempt: 0, max_attempts: 4, disable_immediate_execution: false, use_api: false,
    stack: { stack, current: stack.length }, ...test.ctx,
  };
  const body = { ctx, event, events: [event], steps: Object.fromEntries(memo), use_api: false, version: 1, ...test.body };
  const query = new URLSearchParams();
  if (test.fn) query.set("fnId", `app-${test.fn}`);
  query.set("stepId", test.step === undefined ? "step" : test.step && hash(test.step));
  return [query, test.raw ?? JSON.stringify(body)];
}

async function ask(url, test) {
  const [query, body] = requestOf(test);
  const headers = { "content-type": "application/json" };
  try {
    const response = await fetch(`${url}?${query}`, { method: "POST", headers, body, signal: AbortSignal.timeout(12_000) });
    return view(response, await response.text());
  } catch {
    return { status: "no answer" };
  }
}

// What the server acts on. Times, stacks and texts for people's eyes are left out.
function view(response, text) {
  const seen = { status: response.status };
  for (const name of ["x-inngest-no-retry", "retry-after", "x-inngest-req-version", "content-type"]) {
    seen[name] = response.headers.get(name);
  }
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = text;
  }
  if (response.status === 206) {
    body.forEach((op, index) => {
      const { op: code, id, name, opts, data, error } = op;
      const error_name = error?.name;
      const picked = { op: code, id, name, data, "error.name": error_name, "error.message": error?.message };
      for (const [key, value] of Object.entries(picked)) seen[`ops[${index}].${key}`] = value;
      for (const [key, value] of Object.entries(opts ?? {})) seen[`ops[${index}].opts.${key}`] = value;
    });
  } else if (response.status === 200) {
    seen.body = body;
  } else {
    seen.name = body?.name;
    seen.message = body?.message;
  }
  return seen;
}

// Keys of objects have no order.
function text(value) {
  const sorted = (_, value) =>
    value && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return value === undefined ? "absent" : JSON.stringify(value, sorted);
}

const rules = read("expected.json").map((rule) => ({ ...rule, used: 0 }));
const anyOf = (list, value) => !list || list.includes(value);
// A rule explains a difference when each of its parts fits; `field` ignores the position of an operation.
const explains = (rule, test, field, theirs, mine) =>
  rule.field === field.replace(/^ops\[\d+\]/, "ops") && anyOf(rule.cases, test.name) &&
  (rule.official === undefined || rule.official === theirs) && (rule.ours === undefined || rule.ours === mine);

const cases = read("cases.json");
const rows = [];
for (const test of cases) {
  const [theirs, mine] = [await ask(official, test), await ask(ours, test)];
  const silent = [theirs, mine].some(({ status }) => status === "no answer");
  const fields = silent ? ["status"] : new Set([...Object.keys(theirs), ...Object.keys(mine)]);
  for (const field of fields) {
    const [a, b] = [text(theirs[field]), text(mine[field])];
    if (a === b) continue;
    const rule = rules.find((rule) => explains(rule, test, field, a, b));
    if (rule) rule.used += 1;
    rows.push([test.name, field, a, b, rule ? rule.why : "UNEXPLAINED"]);
  }
}

const short = (cell) => (cell.length > 70 ? `${cell.slice(0, 67)}...` : cell).replaceAll("|", "\\|");
console.log("| case | field | official | ours | why |\n|---|---|---|---|---|");
for (const row of rows) console.log(`| ${row.map(short).join(" | ")} |`);
const unexplained = rows.filter((row) => row.at(-1) === "UNEXPLAINED").length;
const stale = rules.filter((rule) => rule.used === 0);
for (const { why, field } of stale) console.log(`expected, and not seen: ${why} in ${field}`);
console.log(`${cases.length} requests, ${rows.length} differences, ${unexplained} unexplained`);
// A rule that explains nothing would hide the next difference.
process.exit(unexplained + stale.length > 0 ? 1 : 0);
