// Makes src/api/schema.d.ts (types) and src/api/rules.json (what bodies must look like) from openapi.json.
// With --check it changes nothing and fails if they differ from what is there.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const root = new URL("..", import.meta.url);
const BODIES = ["CreateInstanceBody", "WebhookBody", "SendMessageBody", "PairingCodeBody", "CreateTokenBody"];

const source = JSON.parse(await readFile(new URL("openapi.json", root), "utf8"));
const made = { "src/api/schema.d.ts": await types(), "src/api/rules.json": rules() };

let stale = 0;
for (const [path, text] of Object.entries(made)) {
  const file = new URL(path, root);
  if (!process.argv.includes("--check")) {
    await writeFile(file, text);
  } else if ((await readFile(file, "utf8").catch(() => "")) !== text) {
    stale += 1;
    console.error(`${path} does not come from openapi.json; run: npm run types`);
  }
}
process.exitCode = stale ? 1 : 0;

async function types() {
  const head = "// Made from openapi.json by `npm run types`; change the contracts instead.\n";
  return head + astToString(await openapiTS(structuredClone(source), { defaultNonNullable: false }));
}

function rules() {
  const found = Object.fromEntries(BODIES.map((name) => [name, limits(source.components.schemas[name])]));
  return `${JSON.stringify(found, null, 2)}\n`;
}

function limits(schema) {
  const required = new Set(schema.required ?? []);
  return Object.fromEntries(
    Object.entries(schema.properties).flatMap(([name, property]) => {
      const text = [property, ...(property.anyOf ?? [])].find((each) => each.type === "string");
      if (!text) return [];
      const { minLength, maxLength, pattern } = text;
      return [[name, { required: required.has(name), minLength, maxLength, pattern }]];
    }),
  );
}
