// Lets a test in another language drive Chromium: one JSON request a line in, one JSON answer a line out.
//
//   {"id": 1, "do": "open", "options": {"locale": "ru", …}}          a page in a context of its own; answers its number
//   {"id": 2, "page": 0, "do": "click", "args": ["text=Start"]}      any method of Playwright's Page
//   {"id": 3, "page": 0, "do": "axe"}                                violations that axe-core finds
//   {"id": 4, "page": 0, "do": "messages"}                           what the console and the page complained about
//   {"id": 5, "page": 0, "do": "key", "args": ["Tab"]}               a key, wherever the focus is
//   {"id": 6, "page": 0, "do": "offline", "args": [true]}            take the network away, or give it back
//   {"id": 7, "page": 0, "do": "refuse", "args": ["**/*.js", 2]}     break off the next requests, as a change of network does
//   {"id": 8, "page": 0, "do": "uncached"}                           load all files anew from now on, as at a first visit
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [executablePath] = process.argv.slice(2);
const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const pages = [];
/** Containers and hosts of other tests come and go, and the browser breaks off what it is loading. The page must bear it. */
const CHANGED = "net::ERR_NETWORK_CHANGED";
const NOT_LOADED = /preload CSS|imported module/;
const GOTO_TRIES = 10;

async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(35_000);
  const messages = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) messages.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => messages.push(`thrown: ${error.message}`));
  pages.push({ page, messages });
  return pages.length - 1;
}

function complaints(messages) {
  if (!messages.some((each) => each.includes(CHANGED))) return messages;
  return messages.filter((each) => !each.includes(CHANGED) && !NOT_LOADED.test(each));
}

async function axe(page) {
  // The page allows no script that is not its own; this world is beside the page's.
  const found = await page.evaluate(`${axeSource}; axe.run(document, { resultTypes: ["violations"] })`);
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.any[0]?.message ?? node.failureSummary}`),
  );
}

/** Open an address again, as a browser does by itself with its own page for this error. */
async function goto(page, args, tries = GOTO_TRIES) {
  try {
    await page.goto(...args);
  } catch (error) {
    if (tries === 1 || !String(error.message).includes(CHANGED)) throw error;
    await goto(page, args, tries - 1);
  }
}

async function uncached(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
}

async function refuse(page, url, times) {
  let left = times;
  await page.unrouteAll();
  await page.route(url, (route) => (left-- > 0 ? route.abort("failed") : route.continue()));
}

async function run({ page: number, do: what, args = [], options = {} }) {
  if (what === "open") return open(options);
  const { page, messages } = pages[number];
  if (what === "axe") return axe(page);
  if (what === "messages") return complaints(messages.splice(0));
  if (what === "key") return page.keyboard.press(...args);
  if (what === "offline") return page.context().setOffline(...args);
  if (what === "goto") return goto(page, args);
  if (what === "refuse") return refuse(page, ...args);
  if (what === "uncached") return uncached(page);
  if (what === "close") return page.context().close();
  const value = await page[what](...args);
  return Buffer.isBuffer(value) ? value.toString("base64") : isPlain(value) ? value : null;
}

function isPlain(value) {
  return value === null || typeof value !== "object" || [Object, Array].includes(value.constructor);
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  // Not awaited: a page may wait for something that another request brings about.
  run(request)
    .then((value) => ({ id: request.id, value: value ?? null }))
    .catch((error) => ({ id: request.id, error: String(error.message ?? error) }))
    .then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
}
await browser.close();
