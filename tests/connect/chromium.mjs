// Opens an address in headless Chromium, consents, and writes down what it shows then: `CHROMIUM OUT ADDRESS`.
import { renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { launch } from "../support/chromium.mjs";

const [chromium, out, address] = process.argv.slice(2);
const { end, page, picture, read, seen, until } = await launch(chromium);
await page("Page.navigate", { url: address });
await until("the page", "document.querySelector('#allow')");
await read("document.querySelector('#allow').click()");
await until("the way back", "document.title.startsWith('psn:')");
seen.title = await read("document.title");
seen.text = await read("document.body.innerText");
seen.font = await read("getComputedStyle(document.body).fontSize");
for (const [name, width, height] of [["desktop", 1280, 800], ["phone", 360, 740]]) {
  await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: name === "phone" });
  seen.overflow = await read("document.documentElement.scrollWidth > innerWidth");
  await picture(join(dirname(out), `${name}.png`));
}
writeFileSync(`${out}.new`, JSON.stringify(seen));
renameSync(`${out}.new`, out);
end(0);
