// The official TypeScript clients, version 1 and 2, go through what the gateway offers and hold it against what was
// promised. What is not as it should be ends the process with a failure.
//
//   node clients.mjs everything v1|v2|v2:auto|v2:2026-07-28 http URL
//   node clients.mjs everything v1|v2|v2:auto|v2:2026-07-28 stdio COMMAND [ARGUMENT...]
//   node clients.mjs confirm    ... the same: has an export confirmed, by a form where the client can show one
//   node clients.mjs cancel     ... the same: calls a tool that never ends, and hangs up once it has begun
import assert from 'node:assert/strict';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as HTTPV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { Client as ClientV2, StreamableHTTPClientTransport as HTTPV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';

const who = { name: 'proof', version: '1' };
const legacy = '2025-11-25';
const modern = '2026-07-28';

// sdks make a client, and say which version of the protocol it must come to speak. One of them can put a form before a
// person, whose answer is the next of these.
const answers = [];
const asked = [];
const sdks = {
  v1: { era: legacy, http: HTTPV1, stdio: StdioV1, client: () => new ClientV1(who) },
  v2: { era: legacy, http: HTTPV2, stdio: StdioV2, client: () => new ClientV2(who) },
  'v2:auto': {
    era: modern, http: HTTPV2, stdio: StdioV2, person: true, client: () => {
      const client = new ClientV2(who, { versionNegotiation: { mode: 'auto' }, capabilities: { elicitation: { form: {} } } });
      client.setRequestHandler('elicitation/create', async ({ params }) => { asked.push(params); return answers.shift(); });
      return client;
    },
  },
  'v2:2026-07-28': { era: modern, http: HTTPV2, stdio: StdioV2, client: () => new ClientV2(who, { versionNegotiation: { mode: { pin: modern } } }) },
};

const day = '2026-01-12';
const tools = {
  get_alert_decision: { date: 'latest' },
  get_operational_context: { date: 'latest' },
  generate_brief: { date: 'latest' },
  build_priority_queue: { date: 'latest', dry_run: true },
  export_audience: { date: 'latest', tier: 'P1', dry_run: true },
  trigger_playbook: { date: 'latest', dry_run: true },
};

const [mode, sdk, way, ...where] = process.argv.slice(2);

async function connect() {
  const { era, http, stdio, client: make } = sdks[sdk];
  const transport = way === 'http'
    ? new http(new URL(where[0]))
    : new stdio({ command: where[0], args: where.slice(1), env: process.env, stderr: 'ignore' });
  const client = make();
  let spoken;
  transport.setProtocolVersion &&= ((set) => (version) => { spoken = version; return set.call(transport, version); })(transport.setProtocolVersion);
  await client.connect(transport);
  assert.equal(client.getNegotiatedProtocolVersion?.() ?? spoken ?? legacy, era, 'the version that is spoken');
  return client;
}

// call calls a tool in the way of either version.
function call(client, params, options) {
  return sdk === 'v1' ? client.callTool(params, undefined, options) : client.callTool(params, options);
}

async function everything(client) {
  const listed = (await client.listTools()).tools;
  assert.deepEqual(listed.map((tool) => tool.name).sort(), Object.keys(tools).sort());
  for (const tool of listed) {
    for (const hint of ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint']) {
      assert.equal(typeof tool.annotations[hint], 'boolean', `${tool.name}: ${hint}`);
    }
    assert.equal(tool.outputSchema.type, 'object');
    // The client itself holds the structured content against the schema, and throws where it does not fit.
    const answer = await call(client, { name: tool.name, arguments: tools[tool.name] });
    assert.ok(!answer.isError, JSON.stringify(answer));
    assert.ok(answer.structuredContent, tool.name);
    assert.match(answer.content[0].text, new RegExp(day), `${tool.name} names its day`);
  }
  await progress(client);
  await mistakes(client);
  await reading(client);
}

async function progress(client) {
  const heard = [];
  const answer = await call(client, { name: 'build_priority_queue', arguments: tools.build_priority_queue }, { onprogress: (step) => heard.push(step) });
  assert.ok(!answer.isError, JSON.stringify(answer));
  if (sdk.startsWith('v2') && way === 'stdio') {
    return; // this client drops the steps that come in one piece with the answer
  }
  assert.deepEqual(heard.map((step) => step.progress), heard.map((_, i) => i + 1));
  assert.match(heard.at(-1)?.message ?? '', /Judging/, 'the last step of a dry run');
}

async function mistakes(client) {
  const wrong = await call(client, { name: 'get_alert_decision', arguments: { dte: 'latest' } });
  assert.ok(wrong.isError);
  assert.match(wrong.content[0].text, /known: date/);
  await assert.rejects(call(client, { name: 'drop_table', arguments: {} }), { code: -32602 });
  await assert.rejects(client.readResource({ uri: 'retention://elsewhere' }), (error) => [-32602, -32002].includes(error.code));
}

async function reading(client) {
  const { resources } = await client.listResources();
  for (const { uri } of resources) {
    const { contents } = await client.readResource({ uri });
    assert.ok(contents.length > 0 && contents.every((content) => content.text), uri);
  }
  const { resourceTemplates } = await client.listResourceTemplates();
  assert.ok(resourceTemplates.length > 0);
  const runs = await client.readResource({ uri: `retention://brief/${day}` });
  assert.match(runs.contents[0].text, new RegExp(day));
  const { prompts } = await client.listPrompts();
  assert.ok(prompts.some((prompt) => prompt.name === 'daily_review'));
  const review = await client.getPrompt({ name: 'daily_review', arguments: { date: day } });
  assert.ok(review.messages.length > 0);
  const ref = { type: 'ref/prompt', name: 'daily_review' };
  const { completion } = await client.complete({ ref, argument: { name: 'date', value: 'la' } });
  assert.deepEqual(completion.values, ['latest']);
  const none = await client.complete({ ref, argument: { name: 'date', value: 'zz' } });
  assert.deepEqual(none.completion.values, []);
}

// The data of this shop is old, which a guardrail stops: somebody has to stand up for the export.
const exporting = { date: 'latest', tier: 'P1', override: { by: 'Mara', why: 'the shop is made up' } };

async function confirm(client) {
  await client.listTools(); // from here on the client holds each answer against its schema
  const done = await (sdks[sdk].person ? byForm : byToken)((args) => call(client, { name: 'export_audience', arguments: args }));
  assert.ok(!done.isError, JSON.stringify(done));
  assert.equal(done.structuredContent.date, day);
  assert.ok(done.structuredContent.rows_exported > 0 && done.structuredContent.csv_url, JSON.stringify(done.structuredContent));
}

async function byForm(call) {
  for (const [answer, becomes] of [
    [{ action: 'decline' }, 'declined'],
    [{ action: 'cancel' }, 'cancelled'],
    [{ action: 'accept', content: { approve: false } }, 'declined'],
  ]) {
    answers.push(answer);
    const left = await call(exporting);
    assert.ok(!left.isError, JSON.stringify(left));
    assert.equal(left.structuredContent.confirmation, becomes, JSON.stringify(answer));
  }
  answers.push({ action: 'accept', content: { approve: true } });
  const done = await call(exporting);
  assert.equal(asked.length, 4, 'how often somebody was asked');
  assert.match(asked[0].message, /Export \d+ of the \d+ customers in P1 of 2026-01-12.*OVERRIDE/s);
  return done;
}

async function byToken(call) {
  const { isError, structuredContent: question, content } = await call(exporting);
  assert.ok(!isError, JSON.stringify(content));
  assert.equal(question.confirmation, 'confirmation_required');
  assert.match(question.summary, /Export \d+ of the \d+ customers in P1 of 2026-01-12.*OVERRIDE/s);
  assert.ok(content[0].text.includes(question.confirm_token), 'the text stands alone');
  for (const wrong of [
    { ...exporting, confirm_token: question.confirm_token.slice(0, -2) },
    { ...exporting, tier: 'P2', confirm_token: question.confirm_token },
  ]) {
    const refused = await call(wrong);
    assert.ok(refused.isError, JSON.stringify(refused));
    assert.match(refused.content[0].text, /permission_denied|invalid_argument/);
  }
  return call({ ...exporting, confirm_token: question.confirm_token });
}

// cancel gives a call up when its first step is heard.
async function cancel(client) {
  const aborting = new AbortController();
  let begun = 0;
  const running = call(client, { name: 'build_priority_queue', arguments: tools.build_priority_queue }, {
    signal: aborting.signal,
    onprogress: () => { begun += 1; aborting.abort('enough'); },
  });
  await assert.rejects(running);
  assert.equal(begun, 1, 'steps that were heard');
}

const client = await connect();
await { everything, confirm, cancel }[mode](client);
await client.close();
