// Reads {rounds, calls, texts} from stdin and writes, for each text, twitter-text's median ns per call and the length.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const loaded = require("twitter-text");
const { parseTweet } = loaded.default ?? loaded;
const { rounds, calls, texts } = JSON.parse(readFileSync(0, "utf8"));

const answers = texts.map((text) => {
  const times = [];
  let length = 0;
  for (let round = 0; round <= rounds; round += 1) {
    const began = process.hrtime.bigint();
    for (let call = 0; call < calls; call += 1) length = parseTweet(text).weightedLength;
    times.push(Number(process.hrtime.bigint() - began) / calls);
  }
  times.shift(); // The first round warms up.
  times.sort((a, b) => a - b);
  return { ns: times[Math.floor(times.length / 2)], length };
});
process.stdout.write(JSON.stringify(answers));
