// The official clients find their own way in, with a person who consents in between: `ORIGIN TOKEN`. What each came to is
// one JSON object.
import * as current from "@modelcontextprotocol/client";
import * as former from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [origin, token] = process.argv.slice(2);
const serverUrl = `${origin}/mcp`;

/** The person: reads the page, takes something away, and allows the rest. */
const consent = async (address, scopes = ["read", "write"]) => {
  const page = await (await fetch(address)).text();
  const request = /name="request" value="([^"]+)"/.exec(page)[1];
  const body = new URLSearchParams([["request", request], ["token", token], ...scopes.map((scope) => ["scope", scope])]);
  const answer = await (await fetch(`${origin}/oauth/authorize`, { method: "POST", body })).text();
  return new URL(/id="back" href="([^"]+)"/.exec(answer)[1].replaceAll("&amp;", "&")).searchParams;
};

/** A tool takes more than was allowed: the client of today asks its person for that by itself, and goes on. */
const stepUp = async (provider, kept) => {
  const transport = new current.StreamableHTTPClientTransport(new URL(serverUrl), { authProvider: provider });
  const client = new current.Client({ name: "An official client", version: "1" });
  await client.connect(transport);
  const call = () => client.callTool({ name: "pause_posts", arguments: { reason: "a test" } });
  const refused = await call().then(() => "nothing", (error) => error.name);
  const asked = new URL(kept.address).searchParams.get("scope");
  const back = await consent(kept.address, asked.split(" "));
  await transport.finishAuth(back);
  const { structuredContent } = await call();
  await client.close();
  return { refused, asked, scope: kept.tokens.scope, paused: structuredContent.paused };
};

const way = async ({ auth }) => {
  const kept = {};
  const provider = {
    redirectUrl: "http://127.0.0.1:7/cb",
    clientMetadata: {
      client_name: "An official client",
      redirect_uris: ["http://127.0.0.1:7/cb"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_post",
    },
    state: () => "a state",
    clientInformation: () => kept.client,
    saveClientInformation: (client) => { kept.client = client; },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => { kept.tokens = tokens; },
    redirectToAuthorization: (address) => { kept.address = address; },
    saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
    codeVerifier: () => kept.verifier,
    saveDiscoveryState: (state) => { kept.found = state; },
    discoveryState: () => kept.found,
  };
  const steps = [await auth(provider, { serverUrl })];
  const back = await consent(kept.address);
  const answered = { authorizationCode: back.get("code"), iss: back.get("iss") };
  steps.push(await auth(provider, { serverUrl, ...answered }));
  const before = kept.tokens.access_token;
  // With a refresh token in hand it needs nobody.
  steps.push(await auth(provider, { serverUrl }));
  const client = new Client({ name: "An official client", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(serverUrl), { authProvider: provider }));
  const { tools } = await client.listTools();
  await client.close();
  return {
    steps, state: back.get("state"), resource: new URL(kept.address).searchParams.get("resource"),
    scope: kept.tokens.scope, isRenewed: before !== kept.tokens.access_token, tools: tools.length,
    steppedUp: auth === current.auth ? await stepUp(provider, kept) : undefined,
  };
};

console.log(JSON.stringify([await way(former), await way(current)]));
