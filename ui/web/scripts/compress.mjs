// Writes FILE.br and FILE.gz beside each text file of dist: the server sends them as they are.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url).pathname;
const worthIt = /\.(html|js|css|svg|json)$/;

for (const name of await readdir(dist, { recursive: true })) {
  if (!worthIt.test(name)) continue;
  const file = join(dist, name);
  const plain = await readFile(file);
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  for (const [ext, packed] of [[".br", brotliCompressSync(plain, quality)], [".gz", gzipSync(plain, { level: 9 })]]) {
    if (packed.length < plain.length) await writeFile(file + ext, packed);
  }
}
