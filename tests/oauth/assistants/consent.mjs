// Goes the way of a person in headless Chromium: cancels, then errs, unticks and allows. `CHROMIUM OUT ADDRESS TOKEN`.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { launch } from "../../support/chromium.mjs";

const [chromium, out, address, token] = process.argv.slice(2);
const { end, page, picture, read, seen, until } = await launch(chromium);
seen.overflow = false;
const pictures = async (name) => {
  for (const [form, width, height, dark] of [["desk", 1280, 1000, false], ["phone", 390, 844, true]]) {
    await page("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
    await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 2, mobile: form === "phone" });
    seen.overflow ||= await read("document.documentElement.scrollWidth > innerWidth");
    await picture(join(dirname(out), `${name}-${form}.png`), form === "phone");
  }
};

await page("Page.navigate", { url: address });
await until("the page", "document.querySelector('#allow')");
await pictures("asked");
await read("document.querySelector('#deny').click()");
await until("the way back", "document.title === 'back'");

await page("Page.navigate", { url: address });
await until("the page again", "document.querySelector('#allow')");
const type = async (what) => {
  await read("document.querySelector('#token').focus()");
  await page("Input.insertText", { text: what });
};
await type("psn_wrong");
await read("document.querySelector('[value=publish]').click()");
await read("document.querySelector('#allow').click()");
await until("what was wrong", "document.querySelector('[role=alert]')");
seen.wrong = await read("document.querySelector('[role=alert]').innerText");
seen.typed = await read("document.querySelector('#token').value");
seen.scripts = await read("document.scripts.length");
await pictures("wrong");
await type(token);
await page("Input.dispatchKeyEvent", { type: "keyDown", key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" });
await until("what was allowed", "document.querySelector('#back')");
seen.allowed = await read("document.body.innerText");
await pictures("allowed");
await until("the way back by itself", "document.title === 'back'");
writeFileSync(out, JSON.stringify(seen));
end(0);
