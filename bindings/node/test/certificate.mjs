// A certificate that signs itself, for servers in tests: for 127.0.0.1 and localhost, and a
// hundred years. Its key is no secret.

import { readFileSync } from "node:fs";

const read = (name) => readFileSync(new URL(`certificate/${name}.pem`, import.meta.url), "utf8");
const made = { cert: read("cert"), key: read("key") };

/** `{ cert, key }` in PEM. */
export function certificate() {
  return made;
}
