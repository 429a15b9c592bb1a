// The Worker around worker.rs: the body of a POST is the test's request, the answer is what the port made of it.
import wasm from "./port_bg.wasm";
import { exchange, initSync } from "./port.js";

initSync({ module: wasm });

export default {
  async fetch(request, env, context) {
    // An object lives on after its call, and so does what the call left open.
    context.waitUntil(scheduler.wait(30_000));
    return new Response(await exchange(await request.text()));
  },
};
