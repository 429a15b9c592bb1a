// Profiles the Worker's isolate from the first line on stdin to the end of stdin; writes how long it worked, in ms: its
// JavaScript and WebAssembly with what they call, and collecting garbage. The argument is the inspector's port.
const socket = new WebSocket(`ws://127.0.0.1:${process.argv.at(-1)}/psn`);
await new Promise((opened) => (socket.onopen = opened));
let id = 0;
const ask = (method, params) =>
  new Promise((got) => {
    id += 1;
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.id === id) got(answer.result);
    };
    socket.send(JSON.stringify({ id, method, params }));
  });

let ended;
const end = new Promise((told) => (ended = told));
const began = new Promise((told) => process.stdin.once("data", told));
process.stdin.on("end", ended).resume();
await began;
await ask("Profiler.enable");
await ask("Profiler.setSamplingInterval", { interval: 50 });
await ask("Profiler.start");
await end;
const { profile } = await ask("Profiler.stop");
// What is no function of the Worker: the runtime's own work between its turns, and waiting.
const outside = new Set(["(root)", "(program)", "(idle)"]);
const works = new Set(profile.nodes.filter((node) => !outside.has(node.callFrame.functionName)).map((node) => node.id));
let worked_us = 0;
profile.samples.forEach((sample, index) => {
  if (works.has(sample)) worked_us += profile.timeDeltas[index + 1] ?? 0;
});
process.stdout.write(`${worked_us / 1e3}`, () => process.exit(0));
