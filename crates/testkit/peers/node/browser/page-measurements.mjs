// The panels of the demo page that measure: latency, flood, and the hello demo's five seconds.

import { assert, scenario, server } from "./harness.mjs";

await scenario(async (stage) => {
  await stage.launch();
  const visit = await stage.open(server.href);
  await visit.page.getByTestId("hello-run").click();
  await latencyTakesSamples(visit.page);
  await floodRisesAndFalls(visit.page);
  await floodCanBeStopped(visit.page);
  await floodRefusesNonsense(visit.page);
  await helloRunsToItsEnd(visit.page);
  assert.deepEqual([...visit.of("error"), ...visit.of("pageerror")], []);
});

async function latencyTakesSamples(page) {
  const toggle = page.getByTestId("latency-toggle");
  const before = await ink(page, "#latency canvas");
  await toggle.click();
  await text(page, '#latency [data-figure="samples"]', /^([5-9]|\d\d+)$/);
  const [min, median, p99, max] = await Promise.all(
    ["min", "median", "p99", "max"].map(async (name) => parseFloat(await page.textContent(`#latency [data-figure="${name}"]`))),
  );
  assert.ok(min >= 0 && min <= median && median <= p99 && p99 <= max, `${min} ≤ ${median} ≤ ${p99} ≤ ${max}`);
  assert.notEqual(await ink(page, "#latency canvas"), before, "the graph is drawn");
  await toggle.click();
  await text(page, '[data-testid="latency-state"]', /^disconnected$/);
  assert.equal(await toggle.textContent(), "Start");
}

async function floodRisesAndFalls(page) {
  await page.fill("#flood-count", "1500");
  await page.fill("#flood-size", "4096");
  await page.getByTestId("flood-start").click();
  await text(page, '#flood [data-figure="returned"]', /^1,500$/);
  await text(page, '[data-testid="flood-state"]', /^disconnected$/);
  assert.equal(await page.textContent('#flood [data-figure="sent"]'), "1,500");
  assert.equal(await page.textContent('#flood [data-figure="buffered"]'), "0 B");
  assert.ok(parseFloat(await page.textContent('#flood [data-figure="peak"]')) > 0, "bufferedAmount rose");
  assert.ok(await page.getByTestId("flood-problem").isHidden());
}

async function floodCanBeStopped(page) {
  await page.fill("#flood-count", "100000");
  await page.fill("#flood-size", "65536");
  await page.getByTestId("flood-start").click();
  await text(page, '#flood [data-figure="returned"]', /^(?!0$)/);
  await page.getByTestId("flood-stop").click();
  await text(page, '[data-testid="flood-state"]', /^disconnected$/);
  const returned = Number((await page.textContent('#flood [data-figure="returned"]')).replaceAll(",", ""));
  assert.ok(returned > 0 && returned < 100_000, `${returned} returned`);
  assert.ok(await page.getByTestId("flood-start").isEnabled());
}

async function floodRefusesNonsense(page) {
  for (const [count, size] of [["0", "1"], ["1.5", "1"], ["1", "1048577"], ["", "1"]]) {
    await page.fill("#flood-count", count);
    await page.fill("#flood-size", size);
    await page.getByTestId("flood-start").click();
    await page.getByTestId("flood-problem").filter({ hasText: "a whole number from" }).waitFor({ timeout: 5_000 });
    assert.equal(await page.textContent('[data-testid="flood-state"]'), "disconnected");
    await page.getByTestId("flood-problem").evaluate((problem) => { problem.hidden = true; });
  }
}

async function helloRunsToItsEnd(page) {
  await page.locator("#routes li", { hasText: "close: code 1000, wasClean true" }).waitFor({ timeout: 15_000 });
  assert.deepEqual(await page.locator("#routes li span").allTextContents(), [
    "open",
    "send: My name is John",
    "message: Hello from server, John!",
    "close: code 1000, wasClean true",
  ]);
}

function text(page, selector, pattern) {
  return page.locator(selector, { hasText: pattern }).waitFor({ timeout: 20_000 });
}

function ink(page, selector) {
  return page.locator(selector).evaluate((canvas) => canvas.toDataURL());
}
