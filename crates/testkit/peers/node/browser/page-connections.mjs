// The page's view of connections: what it shows of another's, and closing that from here.

import { assert, scenario, server } from "./harness.mjs";

await scenario(async (stage) => {
  await stage.launch();
  const visit = await stage.open(server.href);
  const { page } = visit;
  await state(page, "disconnected");
  await page.getByTestId("connections-toggle").click();
  await state(page, "connected");
  await page.locator("#connections .empty", { hasText: "No connection is open" }).waitFor({ timeout: 10_000 });

  await page.evaluate((url) => {
    window.other = new WebSocket(url);
    window.otherClosed = new Promise((resolve) => other.addEventListener("close", ({ code, reason }) => resolve({ code, reason })));
    other.addEventListener("open", () => other.send("hello"));
  }, new URL("/echo", server.href.replace("http", "ws")).href);
  const row = page.locator("#connections tbody tr");
  await row.filter({ hasText: "/echo" }).filter({ hasText: /1 · \d+ B/ }).waitFor({ timeout: 10_000 });
  assert.equal(await row.count(), 1);
  assert.match(await row.innerText(), /127\.0\.0\.1:\d+/);

  await row.getByRole("button", { name: /^Close the connection of 127\.0\.0\.1:/ }).click();
  assert.deepEqual(await page.evaluate(() => window.otherClosed), { code: 1000, reason: "closed by the operator" });
  await row.waitFor({ state: "detached", timeout: 10_000 });

  await page.getByTestId("connections-toggle").click();
  await state(page, "disconnected");
  assert.deepEqual([...visit.of("error"), ...visit.of("pageerror"), ...visit.of("alert")], []);
});

function state(page, words) {
  return page.getByTestId("connections-state").filter({ hasText: new RegExp(`^${words}$`) }).waitFor({ timeout: 10_000 });
}
