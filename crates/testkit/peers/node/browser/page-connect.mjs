// The demo page's Connect panel, used as a person uses it.

import { assert, scenario, server } from "./harness.mjs";

const ECHO = `ws://${server.host}/echo`;

class ConnectPanel {
  constructor(page) {
    this.page = page;
    this.url = page.getByLabel("URL");
  }

  find(selector, text) {
    return this.page.locator("#connect").locator(selector, text && { hasText: new RegExp(`^\\s*${text}\\s*$`) });
  }

  press(button) {
    return this.page.getByTestId(button).click();
  }

  choose(name, value) {
    return this.page.locator(`label:has([name="${name}"][value="${value}"])`).click();
  }

  async send(kind, source, words) {
    await this.choose("kind", kind);
    if (source) {
      await this.choose("source", source);
    }
    await this.page.fill("#payload", words);
    await this.press("send");
  }

  /** Waits until the last row of a kind says this. */
  async row(kind, what, content) {
    const row = this.page.locator(`#log li[data-kind="${kind}"]`, {
      has: this.page.locator(".what", { hasText: exactly(what) }),
    }).last();
    await row.waitFor({ timeout: 10_000 });
    if (content !== undefined) {
      await row.locator(".content", { hasText: exactly(content) }).waitFor({ state: "attached", timeout: 10_000 });
    }
  }

  async problem(pattern) {
    await this.page.getByTestId("connect-problem").filter({ hasText: pattern }).waitFor({ timeout: 10_000 });
  }

  state() {
    return this.page.getByTestId("connect-state").textContent();
  }

  fact(name) {
    return this.page.locator(`[data-fact="${name}"]`).textContent();
  }
}

function exactly(text) {
  return new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
}

await scenario(async (stage) => {
  await stage.launch();
  const visit = await stage.open(server.href);
  const panel = new ConnectPanel(visit.page);

  await opensAndEchoes(panel);
  await closesWithACodeAndAReason(panel);
  await negotiatesASubprotocol(panel);
  await showsWhatTheApiThrows(panel);
  assert.deepEqual(visit.of("error"), []);
  await showsARefusedConnection(panel);
  await keepsTheLogBounded(panel);
  assert.deepEqual(visit.of("pageerror"), []);
});

async function opensAndEchoes(panel) {
  assert.equal(await panel.url.inputValue(), ECHO);
  await panel.press("connect");
  await panel.row("open", ECHO);
  assert.equal(await panel.state(), "connected");
  assert.equal(await panel.fact("readyState"), "1 OPEN");

  await panel.send("text", null, "Grüße <b>");
  await panel.row("message", "text, 11 B", "Grüße <b>");

  await panel.choose("binaryType", "blob");
  await panel.send("blob", "text", "blob");
  await panel.row("message", "binary, Blob, 4 B", "62 6c 6f 62");
  await panel.choose("binaryType", "arraybuffer");
  await panel.send("buffer", "hex", "DE AD be,ef 0x00");
  await panel.row("message", "binary, ArrayBuffer, 5 B", "de ad be ef 00");

  await panel.choose("source", "file");
  await panel.page.setInputFiles("#file", { name: "three.bin", mimeType: "application/octet-stream", buffer: Buffer.from([1, 2, 255]) });
  await panel.press("send");
  await panel.row("message", "binary, ArrayBuffer, 3 B", "01 02 ff");
  await panel.choose("source", "text");
  await panel.send("text", null, "");
  await panel.row("message", "text, 0 B", "");
}

async function closesWithACodeAndAReason(panel) {
  await panel.page.fill("#code", "999");
  await panel.press("disconnect");
  await panel.problem(/^InvalidAccessError: /);
  await panel.page.fill("#code", "4001");
  await panel.page.fill("#reason", "x".repeat(124));
  await panel.press("disconnect");
  await panel.problem(/^SyntaxError: /);
  assert.equal(await panel.state(), "connected");

  await panel.page.fill("#reason", "enough for today");
  await panel.press("disconnect");
  await panel.row("close", 'code 4001, reason "enough for today", wasClean true');
  assert.equal(await panel.state(), "disconnected");
  assert.equal(await panel.fact("readyState"), "3 CLOSED");
}

async function negotiatesASubprotocol(panel) {
  await panel.page.fill("#protocols", "chat, superchat");
  await panel.press("connect");
  await panel.row("open", `${ECHO}, protocol chat`);
  assert.equal(await panel.fact("protocol"), "chat");
  await panel.page.fill("#code", "");
  await panel.page.fill("#reason", "");
  await panel.press("disconnect");
  await panel.row("close", 'code 1005, reason "", wasClean true');
}

async function showsWhatTheApiThrows(panel) {
  await panel.page.fill("#protocols", "chat, chat");
  await panel.press("connect");
  await panel.problem(/^SyntaxError: .*duplicated/);
  await panel.page.fill("#protocols", "");
  await panel.url.fill("ftp://example.com/");
  await panel.press("connect");
  await panel.problem(/^SyntaxError: /);
  await panel.url.fill("ws://example.com:0:0/");
  await panel.press("connect");
  await panel.problem(/^SyntaxError: .*invalid/);
  await panel.page.locator('#log [data-kind="throws"]').nth(4).waitFor({ timeout: 5_000 });
}

async function showsARefusedConnection(panel) {
  await panel.press("clear-log");
  await panel.url.fill(`ws://${server.host}/nowhere`);
  await panel.press("connect");
  await panel.row("error", "the connection failed");
  await panel.row("close", 'code 1006, reason "", wasClean false');
  const kinds = await panel.page.locator("#log li").evaluateAll((rows) => rows.map((row) => row.dataset.kind));
  assert.deepEqual(kinds, ["error", "close"]);
  assert.ok(await panel.find("button", "Connect").isEnabled(), "a second try is possible");
}

async function keepsTheLogBounded(panel) {
  await panel.url.fill(ECHO);
  await panel.press("connect");
  await panel.row("open", ECHO);
  await panel.page.fill("#payload", "again");
  await panel.page.evaluate(() => {
    for (let sent = 0; sent < 300; sent += 1) {
      document.querySelector("#send-form").requestSubmit();
    }
  });
  await panel.page.fill("#payload", "the last one");
  await panel.press("send");
  await panel.row("message", "text, 12 B", "the last one");
  assert.equal(await panel.page.locator("#log li").count(), 500);
  const below = await panel.page.locator("#log-scroll").evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
  assert.ok(below < 2, `the log follows its last row (${below} px below)`);
}
