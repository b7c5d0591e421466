// Puts a .br and a .gz beside every text file of the build, so that the gateway compresses nothing itself.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = new URL("../dist/", import.meta.url);
const TEXT = /\.(?:js|css|html|svg)$/;

for (const name of await readdir(folder, { recursive: true })) {
  if (!TEXT.test(name)) continue;
  const file = new URL(name, folder);
  const raw = await readFile(file);
  if (raw.length < 512) continue;
  await writeFile(`${file.pathname}.gz`, gzipSync(raw, { level: 9 }));
  const best = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  await writeFile(`${file.pathname}.br`, brotliCompressSync(raw, best));
}
