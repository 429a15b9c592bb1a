// The Worker around worker.rs: the body of a POST is the test's request, the answer is what the port made of it. A PUT
// keeps a medium, `/store` asks the store of media, `/zones` the time zones.
import wasm from "./port_bg.wasm";
import { exchange, initSync, offsets, store } from "./port.js";

initSync({ module: wasm });

export default {
  async fetch(request, env, context) {
    if (request.method === "PUT") {
      await env.MEDIA.put(new URL(request.url).pathname.slice(1), request.body);
      return new Response();
    }
    if (new URL(request.url).pathname === "/store") {
      const bytes = new Uint8Array(await request.arrayBuffer());
      try {
        return new Response(await store(request.headers.get("x-asked"), bytes, env.MEDIA));
      } catch (message) {
        return new Response(message, { status: 500 });
      }
    }
    if (new URL(request.url).pathname === "/zones") {
      return new Response(offsets(await request.text()));
    }
    // An object lives on after its call, and so does what the call left open.
    context.waitUntil(scheduler.wait(30_000));
    return new Response(await exchange(await request.text(), env.MEDIA));
  },
};
