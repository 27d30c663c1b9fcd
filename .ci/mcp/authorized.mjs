// An official TypeScript client signs in at the authorization server that the gateway names, with the least scope, reads,
// and comes again with more when a tool asks for it. What is not as it should be ends the process with a failure.
//
//   node authorized.mjs v1|v2 URL
import assert from 'node:assert/strict';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as HTTPV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as ClientV2, StreamableHTTPClientTransport as HTTPV2 } from '@modelcontextprotocol/client';

const [sdk, address] = process.argv.slice(2);
const { Client, Transport, options } = {
  v1: { Client: ClientV1, Transport: HTTPV1 },
  v2: { Client: ClientV2, Transport: HTTPV2, options: { versionNegotiation: { mode: { pin: '2026-07-28' } } } },
}[sdk];
const callback = 'http://127.0.0.1/callback';

// browser follows a person's redirects, with cookies, until they lead back to the client.
async function browser(from) {
  const cookies = new Map();
  for (let url = new URL(from), steps = 0; steps < 20; steps += 1) {
    if (url.href.startsWith(callback)) return url.searchParams;
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    assert.ok(answer.headers.get('location'), `${answer.status} at ${url}: ${await answer.text()}`);
    url = new URL(answer.headers.get('location'), url);
  }
  throw new Error('it leads nowhere');
}

// kept is what a client keeps between the steps of signing in.
const kept = { asked: [] };
const provider = {
  redirectUrl: callback,
  clientMetadata: { client_name: 'chat', redirect_uris: [callback], token_endpoint_auth_method: 'none' },
  clientInformation: () => ({ client_id: 'chat', issuer: kept.discovered?.authorizationServerUrl }),
  state: () => 'state',
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  discoveryState: () => kept.discovered,
  saveDiscoveryState: (state) => { kept.discovered = state; },
  redirectToAuthorization: (url) => { kept.to = url; kept.asked.push([url.searchParams.get('scope'), url.searchParams.get('resource')]); },
};

let transport;
async function connected() {
  transport = new Transport(new URL(address), { authProvider: provider });
  const client = new Client({ name: 'chat', version: '1' }, options);
  await client.connect(transport);
  return client;
}

// signIn is what the host does when the client cannot go on: a person comes back with a code.
async function signIn() {
  const answer = await browser(kept.to);
  assert.equal(answer.get('error'), null, answer.toString());
  await transport.finishAuth(sdk === 'v1' ? answer.get('code') : answer);
}

await assert.rejects(connected(), /[Uu]nauthorized/);
await signIn();
let client = await connected();
const read = await client.callTool({ name: 'get_alert_decision', arguments: {} });
assert.ok(!read.isError, JSON.stringify(read));
const dry = await client.callTool({ name: 'build_priority_queue', arguments: { dry_run: true } });
assert.ok(!dry.isError, JSON.stringify(dry));
await assert.rejects(client.callTool({ name: 'build_priority_queue', arguments: { date: 'latest' } }), /[Uu]nauthorized/);
await signIn();
client = await connected();
const done = await client.callTool({ name: 'build_priority_queue', arguments: { date: 'latest' } });
assert.ok(!done.isError, JSON.stringify(done));
assert.deepEqual(kept.asked, [['retention:read', address], ['retention:read retention:act', address]], 'what was asked for');
await client.close();
