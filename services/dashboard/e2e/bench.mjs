// How smooth a long list is, and how soon a page shows: figures, not a test.
//
//   node e2e/bench.mjs http://127.0.0.1:3000 /usr/bin/chromium [instances]
//
// The gateway serves the page; the list and its events are made up here: 20 changes a second while the list is scrolled
// for five seconds. Told are the time that scripts took, the frames that were missed, and the largest contentful paint.
import { chromium } from "playwright-core";

const [url, executablePath, count = "1000"] = process.argv.slice(2);
const SECONDS = 5;
const instances = Array.from({ length: Number(count) }, (_, number) => instance(number));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();

await page.addInitScript(watchPaint);
await page.addInitScript(fakeEvents);
await page.route(/\/api\/v1\/instances(\?|$)/, (route) =>
  route.fulfill({ json: { success: true, instances, total: instances.length, limit: 5000, offset: 0 } }),
);
await page.route(/\/api\/v1\/instances\/[0-9a-f-]{36}$/, (route) => {
  const id = route.request().url().split("/").at(-1);
  const found = instances.find((each) => each.id === id);
  Object.assign(found, found.status === "client_ready" ? status("reconnecting", "wait") : status("client_ready", "none"));
  return route.fulfill({ json: { success: true, instance: found } });
});

const paints = [];
for (let load = 0; load < 3; load += 1) {
  await page.goto(url);
  await page.waitForSelector("tr[data-instance]");
  await page.waitForTimeout(500);
  paints.push(Math.round(await page.evaluate("window.largestPaint")));
}
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable");
const before = await scripting(session);
const frames = await page.evaluate(scrollAndChange, { seconds: SECONDS, ids: instances.map((each) => each.id) });
const took = (await scripting(session)) - before;
console.log(
  JSON.stringify({
    instances: instances.length,
    largest_contentful_paint_ms: paints,
    scripting_ms_per_s: Math.round((1000 * took) / SECONDS),
    frames: frames.shown,
    frames_over_34_ms: frames.late,
    longest_frame_ms: Math.round(frames.longest),
    rows_in_page: await page.locator("tr[data-instance]").count(),
  }),
);
await browser.close();

async function scripting(cdp) {
  const { metrics } = await cdp.send("Performance.getMetrics");
  return metrics.find((each) => each.name === "ScriptDuration").value;
}

function watchPaint() {
  window.largestPaint = 0;
  new PerformanceObserver((list) => {
    window.largestPaint = list.getEntries().at(-1).startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
}

function fakeEvents() {
  const real = window.fetch;
  window.fetch = (input, init) => {
    const at = typeof input === "string" ? input : input.url;
    if (!at.includes("/api/v1/events")) return real(input, init);
    const body = new ReadableStream({ start: (stream) => void (window.events = stream) });
    return Promise.resolve(new Response(body, { headers: { "Content-Type": "text/event-stream" } }));
  };
}

async function scrollAndChange({ seconds, ids }) {
  const text = new TextEncoder();
  let number = 0;
  const changing = setInterval(() => {
    const id = ids[number % 40]; // the ones on the screen at first
    number += 1;
    const frame = `id: ${number}\nevent: reconnecting\ndata: ${JSON.stringify({ subject: id })}\n\n`;
    window.events.enqueue(text.encode(frame));
  }, 50);
  const gaps = [];
  const end = performance.now() + seconds * 1000;
  let last = performance.now();
  await new Promise((done) => {
    requestAnimationFrame(function step(now) {
      gaps.push(now - last);
      last = now;
      window.scrollTo(0, (window.scrollY + 60) % Math.max(1, document.body.scrollHeight - innerHeight));
      if (now < end) requestAnimationFrame(step);
      else done();
    });
  });
  clearInterval(changing);
  return { shown: gaps.length, late: gaps.filter((gap) => gap > 34).length, longest: Math.max(...gaps) };
}

function status(name, action) {
  const reason = { code: name.toUpperCase(), message: `It is ${name}`, user_action: action, since: "2026-01-01T00:00:00.000Z" };
  return { status: name, reason, is_ready_for_messages: name === "client_ready" };
}

function instance(number) {
  const id = `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
  const at = "2026-01-01T00:00:00.000Z";
  return {
    ...{ id, instance_id: id, user_id: `user-${number % 50}`, company_id: "", name: `Account ${number}` },
    ...{ provider: number % 3 ? "whatsappweb" : "telegram", type_instance: ["api"], auth_status: "authenticated" },
    ...{ desired: "running", account: `1555${String(number).padStart(7, "0")}`, phone_number: null, whatsapp_state: null },
    ...{ port_api: 3001 + number, port_mcp: null, port: 3001 + number, ports: { api: 3001 + number, mcp: null } },
    ...{ worker: "w", epoch: 1, api_webhook_schema: null, token_hint: null, has_proxy: false, restriction: null, observed_at: at },
    message_stats: { sent_count: 0, received_count: 0, daily_sent: 0, daily_received: 0, daily_reset_at: null },
    ...{ created_at: at, updated_at: at, last_seen: at, memory_status: "active" },
    ...status("client_ready", "none"),
  };
}
