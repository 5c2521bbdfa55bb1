// The demo page's chat room, in two browsers at once.

import { assert, scenario, server } from "./harness.mjs";

await scenario(async (stage) => {
  await stage.launch();
  const [ada, grace] = [await stage.open(server.href), await stage.open(server.href)];
  await join(ada.page, "Ada");
  await join(grace.page, "Grace");

  await say(ada.page, `<img src="x" onerror="alert(1)"> hello`);
  for (const { page } of [ada, grace]) {
    await row(page, /^Ada\d\d:\d\d:\d\d<img src="x" onerror="alert\(1\)"> hello$/);
    assert.equal(await page.locator("#chat ol img").count(), 0, "a message is text, never HTML");
  }
  await say(grace.page, "hello, Ada");
  await row(ada.page, /^Grace.*hello, Ada$/);
  assert.deepEqual(await ada.page.locator("#chat li b").evaluateAll((names) => names.map((name) => name.closest("li").className)), ["mine", "other"]);

  await ada.page.getByLabel("Send it raw").check();
  for (const malformed of ["no JSON", '{"type":"message"', '{"type":"unheard of"}', "[]"]) {
    const errors = await ada.page.locator("#chat li.error").count();
    await say(ada.page, malformed);
    await ada.page.locator("#chat li.error").nth(errors).filter({ hasText: /^The server answers: \S/ }).waitFor();
  }
  // The other page never hears of it: what it hears next is the next message.
  await ada.page.getByLabel("Send it raw").uncheck();
  await say(ada.page, "still here");
  await row(grace.page, /still here$/);
  assert.equal(await grace.page.locator("#chat li.error").count(), 0);

  await ada.page.getByTestId("chat-toggle").click();
  await state(ada.page, "disconnected");
  assert.ok(await ada.page.getByTestId("chat-send").isDisabled());
  await state(grace.page, "connected");
  for (const visit of [ada, grace]) {
    assert.deepEqual([...visit.of("error"), ...visit.of("pageerror"), ...visit.of("alert")], []);
  }
});

async function join(page, name) {
  await state(page, "disconnected");
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
  await state(page, "connected");
}

async function say(page, words) {
  await page.locator("#chat-text").fill(words);
  await page.keyboard.press("Enter");
}

function row(page, pattern) {
  return page.locator("#chat li", { hasText: pattern }).waitFor({ timeout: 10_000 });
}

function state(page, words) {
  return page.getByTestId("chat-state").filter({ hasText: new RegExp(`^${words}$`) }).waitFor({ timeout: 10_000 });
}
