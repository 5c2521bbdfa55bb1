// The demo page on a desktop and a phone, light and dark: nothing sticks out, nothing is too pale
// to read, every control has a name, and nothing is asked of another host.

import { assert, scenario, server } from "./harness.mjs";

const LONG = "unbroken".repeat(80);

await scenario(async (stage) => {
  await stage.launch();
  for (const width of [1280, 375]) {
    for (const colorScheme of ["light", "dark"]) {
      const visit = await stage.open(server.href, { viewport: { width, height: 800 }, colorScheme, reducedMotion: "reduce" });
      await nothingSticksOut(visit.page, width);
      await useEverything(visit.page);
      await nothingSticksOut(visit.page, width);
      assert.deepEqual(await visit.page.evaluate(paleTexts), [], `contrast, ${colorScheme}`);
      assert.deepEqual(await namelessControls(visit.page), []);
      assert.equal(await visit.page.locator(".pulse").count(), 0, "reduced motion is respected");
      for (const address of [...visit.of("request"), ...visit.of("websocket")]) {
        assert.equal(new URL(address).host, server.host, `${address} is another host's`);
      }
      assert.deepEqual([...visit.of("error"), ...visit.of("warning"), ...visit.of("pageerror")], []);
      assert.match(visit.response.headers()["content-security-policy"] ?? "", /default-src 'none'/);
    }
  }
});

async function useEverything(page) {
  await page.getByTestId("connect").click();
  await page.getByTestId("send").isEnabled();
  await page.fill("#payload", LONG);
  await page.getByTestId("send").click();
  await page.locator('#log [data-kind="message"]').waitFor();
  await page.fill("#code", "1");
  await page.getByTestId("disconnect").click();
  await page.getByTestId("connect-problem").waitFor();
  await page.getByTestId("chat-toggle").click();
  await page.locator("#chat-text:enabled").fill(LONG);
  await page.keyboard.press("Enter");
  await page.locator("#chat li p").waitFor();
  await page.getByTestId("latency-toggle").click();
  await page.fill("#flood-count", "100");
  await page.getByTestId("flood-start").click();
  await page.locator('#flood [data-figure="returned"]', { hasText: /^100$/ }).waitFor();
  await page.getByTestId("hello-run").click();
  await page.locator("#routes li", { hasText: "message" }).waitFor();
}

async function nothingSticksOut(page, width) {
  const found = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(found, width, "the page is as wide as the window");
}

// Text whose contrast with what is behind it is below 4.5 (WCAG 2, level AA). Disabled controls are exempt.
function paleTexts() {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3) {
        return color;
      }
    }
    return [255, 255, 255];
  };
  const pale = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest(":disabled, noscript")) {
      continue;
    }
    const [light, dark] = [parse(getComputedStyle(element).color), behind(element)].map(luminance).sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) {
      pale.push(`${walker.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
    }
  }
  return pale;
}

async function namelessControls(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  const controls = new Set(["button", "textbox", "radio", "checkbox", "spinbutton", "region", "log", "img", "group"]);
  return nodes
    .filter((node) => !node.ignored && controls.has(node.role?.value) && !node.name?.value)
    .map((node) => `${node.role.value} ${node.nodeId}`);
}
