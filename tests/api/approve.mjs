// Opens an approval's page in headless Chromium, looks at it in two widths, and rejects the post with a reason:
// `CHROMIUM FOLDER ADDRESS`. What it saw lies in FOLDER as `seen.json` and pictures.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { launch } from "../support/chromium.mjs";

const [chromium, folder, address] = process.argv.slice(2);
const { end, page, picture, read, seen, until } = await launch(chromium);
for (const [name, width, height, scale] of [["desktop", 1280, 900, 1], ["phone", 390, 844, 2]]) {
  await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: scale, mobile: name === "phone" });
  await page("Page.navigate", { url: address });
  await until("the page", "document.querySelector('.yes')");
  await until("its pictures", "[...document.images].every((one) => one.complete)");
  const box = "document.querySelector('.yes').getBoundingClientRect()";
  seen[name] = {
    overflow: await read("document.documentElement.scrollWidth > innerWidth"),
    pictures: await read("[...document.images].map((one) => one.naturalWidth)"),
    approve_in_sight: await read(`${box}.top >= 0 && ${box}.bottom <= innerHeight && ${box}.height >= 44`),
  };
  await picture(join(folder, `${name}.png`));
}
seen.title = await read("document.title");
await read("document.querySelector('summary').click()");
await read("document.querySelector('textarea').focus()");
await page("Input.insertText", { text: "which year?\nand where?" });
await picture(join(folder, "reject.png"));
await read("document.querySelector('.no').click()");
await until("what was decided", "document.querySelector('.banner h2')");
seen.decided = await read("document.querySelector('.banner h2').innerText");
await picture(join(folder, "decided.png"));
writeFileSync(join(folder, "seen.json"), JSON.stringify(seen));
end(0);
