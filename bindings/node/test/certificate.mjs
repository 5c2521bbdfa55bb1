// A certificate that signs itself, for servers in tests.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let made;

/** `{ key, cert }` in PEM for 127.0.0.1 and localhost. */
export function certificate() {
  if (made) return made;
  const folder = mkdtempSync(join(tmpdir(), "longwire-"));
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
  execFileSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
    ...["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
  ], { stdio: "ignore" });
  made = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  rmSync(folder, { recursive: true });
  return made;
}
