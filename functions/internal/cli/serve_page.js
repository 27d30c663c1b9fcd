"use strict"
// The host of the action pack, in the place of a chat: it speaks MCP (2026-07-28) with the gateway of this process, shows
// the app in a frame without an origin, hands the app's calls on, and asks its person what the gateway asks.

const at = id => document.getElementById(id)
const protocol = "2026-07-28"
const app = "ui://retentionops/action-pack.html"
const me = { name: "retentionops-serve", title: "RetentionOps on this machine", version: "1" }
const capabilities = { elicitation: { form: {} }, extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } } }
const dark = matchMedia("(prefers-color-scheme: dark)")

// ---- The gateway

let lastID = 0

// ask sends a request to the gateway and waits for its answer; progress is told on the way.
async function ask(method, params = {}, onprogress) {
  const meta = {
    ...params._meta, "io.modelcontextprotocol/protocolVersion": protocol,
    "io.modelcontextprotocol/clientInfo": me, "io.modelcontextprotocol/clientCapabilities": capabilities,
  }
  const named = params.name ?? params.uri
  const response = await fetch("/mcp", {
    method: "POST", credentials: "omit", referrerPolicy: "no-referrer",
    headers: {
      "Content-Type": "application/json", Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": protocol, "Mcp-Method": method, ...(named ? { "Mcp-Name": named } : {}),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: ++lastID, method, params: { ...params, _meta: meta } }),
  })
  const kind = response.headers.get("Content-Type") ?? ""
  if (kind.startsWith("application/problem+json")) {
    const problem = await response.json()
    throw Object.assign(new Error([problem.detail || problem.title, problem.hint].filter(Boolean).map(text => `${text[0].toUpperCase()}${text.slice(1)}.`).join(" ")), { code: -32000 })
  }
  const answer = kind.startsWith("text/event-stream") ? await streamed(response, onprogress) : await response.json()
  if (answer.error) throw Object.assign(new Error(answer.error.message), { code: answer.error.code })
  return answer.result
}

// streamed reads server-sent events up to the answer.
async function streamed(response, onprogress) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (let text = ""; ;) {
    const { value, done } = await reader.read()
    if (done) throw Object.assign(new Error("The gateway has hung up."), { code: -32000 })
    const events = (text + value.replaceAll("\r", "")).split("\n\n")
    text = events.pop()
    for (const event of events) {
      const data = event.split("\n").filter(line => line.startsWith("data:")).map(line => line.slice(5)).join("\n")
      const message = data.trim() ? JSON.parse(data) : {}
      if (message.method === "notifications/progress") onprogress?.(message.params)
      else if ("result" in message || "error" in message) return message
    }
  }
}

// callTool calls a tool. What the gateway asks before it answers is asked of the person, and the call is made again.
async function callTool(params, onprogress) {
  const entry = noted(`${params.name} ${JSON.stringify(params.arguments ?? {})}`)
  try {
    let result = await ask("tools/call", params, onprogress)
    while (result.resultType === "input_required") {
      const inputResponses = {}
      for (const [id, request] of Object.entries(result.inputRequests ?? {})) {
        if (request.method !== "elicitation/create") throw new Error(`The gateway asks for ${request.method}, which this page does not know.`)
        inputResponses[id] = await question(request.params)
        entry(`the person answered ${inputResponses[id].action}`)
      }
      result = await ask("tools/call", { ...params, inputResponses, requestState: result.requestState }, onprogress)
    }
    entry(result.isError ? "an error" : "answered")
    return result
  } catch (why) {
    entry(why.message)
    throw why
  }
}

// noted writes a call down for the person, and gives a function that tells what came of it. A confirmation's token is
// nobody's to read.
function noted(text) {
  const line = document.createElement("li")
  line.textContent = text.replace(/("confirm_token":")[^"]*/, "$1…")
  at("log").append(line)
  at("calls").textContent = at("log").children.length
  return outcome => { line.textContent += `: ${outcome}` }
}

// ---- The person

let asking = Promise.resolve() // one question at a time

// question shows what the gateway asks, in the gateway's words. Who closes it has decided nothing.
function question({ message }) {
  const answered = asking.then(() => new Promise(resolve => {
    const dialog = at("question")
    at("question-words").textContent = message
    dialog.returnValue = "cancel"
    const close = { approve: () => dialog.close("accept"), decline: () => dialog.close("decline") }
    for (const [id, act] of Object.entries(close)) at(id).onclick = act
    dialog.onclose = () => resolve(dialog.returnValue === "accept" ? { action: "accept", content: { approve: true } } : { action: dialog.returnValue || "cancel" })
    dialog.showModal()
  }))
  asking = answered
  return answered
}

// ---- The app

let shown = null // what the app is shown for: the tool's input and its result
const frame = at("app")
const post = message => frame.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, "*") // its origin is none
const context = () => ({
  theme: dark.matches ? "dark" : "light", displayMode: "inline", availableDisplayModes: ["inline"], platform: "web",
  locale: navigator.language, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
})

const requests = {
  ping: () => ({}),
  "ui/initialize": () => ({
    protocolVersion: "2026-01-26", hostInfo: me, hostCapabilities: { serverTools: {}, openLinks: {} }, hostContext: context(),
  }),
  "tools/call": params => callTool({ name: params.name, arguments: params.arguments ?? {}, _meta: params._meta },
    progress => post({ method: "notifications/progress", params: progress })),
  "ui/open-link": ({ url }) => {
    if (new URL(url).protocol !== "https:") throw new Error("Only https addresses are opened.")
    window.open(url, "_blank", "noopener,noreferrer")
    return {}
  },
}

const notifications = {
  "ui/notifications/initialized": () => {
    post({ method: "ui/notifications/tool-input", params: { arguments: shown.input } })
    post({ method: "ui/notifications/tool-result", params: shown.result })
  },
  "ui/notifications/size-changed": ({ height }) => {
    if (height > 0) frame.style.height = `${Math.min(height, 20000) + 2}px`
  },
}

window.addEventListener("message", async event => {
  const message = event.data
  if (event.source !== frame.contentWindow || message?.jsonrpc !== "2.0" || !message.method) return
  if (message.id === undefined) {
    notifications[message.method]?.(message.params ?? {})
    return
  }
  try {
    if (!Object.hasOwn(requests, message.method)) throw Object.assign(new Error("Method not found"), { code: -32601 })
    post({ id: message.id, result: await requests[message.method](message.params ?? {}) })
  } catch (why) {
    post({ id: message.id, error: { code: why.code ?? -32603, message: why.message } })
  }
})

dark.addEventListener("change", () => shown && post({ method: "ui/notifications/host-context-changed", params: { theme: context().theme } }))

// policy is what the app may reach: what it asks for and nothing else. This page's own policy holds in the frame too.
function policy({ connectDomains = [], resourceDomains = [], frameDomains = [], baseUriDomains = [] } = {}) {
  const from = (list, ...more) => [...list, ...more].filter(source => /^[A-Za-z0-9.:/*'-]+$/.test(source)).join(" ") || "'none'"
  return [
    "default-src 'none'", `script-src ${from(resourceDomains, "'unsafe-inline'")}`, `style-src ${from(resourceDomains, "'unsafe-inline'")}`,
    `img-src ${from(resourceDomains, "data:")}`, `font-src ${from(resourceDomains)}`, `connect-src ${from(connectDomains)}`,
    `frame-src ${from(frameDomains)}`, `base-uri ${from(baseUriDomains)}`, "form-action 'none'",
  ].join("; ")
}

// show calls the tool whose result the app draws, and shows the app for it.
async function show(date) {
  at("fault").textContent = ""
  try {
    const input = { date }
    const [read, result] = await Promise.all([ask("resources/read", { uri: app }), callTool({ name: "generate_brief", arguments: input })])
    const { text, _meta } = read.contents[0]
    shown = { input, result }
    if (result.structuredContent?.date) at("date").value = result.structuredContent.date
    frame.hidden = false
    frame.srcdoc = text.replace("<head>", `<head>\n<meta http-equiv="Content-Security-Policy" content="${policy(_meta?.ui?.csp)}">`)
  } catch (why) {
    at("fault").textContent = why.message
  }
}

at("ask").addEventListener("submit", event => {
  event.preventDefault()
  show(at("date").value || "latest")
})
at("newest").addEventListener("click", () => show("latest"))
show("latest")
