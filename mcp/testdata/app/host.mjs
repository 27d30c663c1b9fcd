// A host made of the official parts: the client talks to the gateway, the bridge to the app in its frame. What it saw is
// left in window.seen. The address says what it is: ?tool=NAME&arguments=JSON and, when it can ask its person, &asks.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { AppBridge, PostMessageTransport, getToolUiResourceUri } from "@modelcontextprotocol/ext-apps/app-bridge"

const query = new URLSearchParams(location.search)
const seen = window.seen = { calls: [], asked: [], heights: [], told: [], initialized: false, faults: [] }
window.addEventListener("unhandledrejection", event => seen.faults.push(String(event.reason)))

const client = new Client({ name: "official-host", version: "1" }, {
  capabilities: query.has("asks") ? { elicitation: { form: {} } } : {}, versionNegotiation: { mode: "auto" },
})
if (query.has("asks")) {
  client.setRequestHandler("elicitation/create", async request => {
    seen.asked.push(request.params.message)
    return window.says === "yes" ? { action: "accept", content: { approve: true } } : { action: "decline" }
  })
}
await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", location.href)))
const name = query.get("tool")
const { tools } = await client.listTools()
const uri = getToolUiResourceUri(tools.find(tool => tool.name === name))
const { contents: [content] } = await client.readResource({ uri })
seen.mimeType = content.mimeType

// As the extension has it: what the app does not ask for is not allowed.
const csp = content._meta.ui.csp
const list = (...sources) => sources.flat().join(" ") || "'none'"
const policy = [
  "default-src 'none'", `script-src ${list("'unsafe-inline'", csp.resourceDomains)}`, `style-src ${list("'unsafe-inline'", csp.resourceDomains)}`,
  `img-src ${list("data:", csp.resourceDomains)}`, `font-src ${list(csp.resourceDomains)}`, `connect-src ${list(csp.connectDomains)}`,
  `frame-src ${list(csp.frameDomains)}`, `base-uri ${list(csp.baseUriDomains)}`,
].join("; ")

const given = JSON.parse(query.get("arguments"))
const result = await client.callTool({ name, arguments: given })
const frame = document.querySelector("iframe")
const bridge = window.bridge = new AppBridge(client, { name: "official-host", version: "1" },
  { serverTools: {}, openLinks: {}, updateModelContext: { text: {} } },
  { hostContext: { theme: "dark", locale: "en", timeZone: "Europe/Berlin", styles: { variables: { "--color-text-primary": "rgb(250, 250, 250)" } } } })
bridge.onsizechange = ({ height }) => { seen.heights.push(height); frame.style.height = `${height}px` }
bridge.onupdatemodelcontext = async params => { seen.told.push(params); return {} }
bridge.onerror = fault => seen.faults.push(String(fault))
bridge.oninitialized = async () => {
  seen.initialized = true
  await bridge.sendToolInput({ arguments: given })
  await bridge.sendToolResult(result)
}
await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow))
bridge.oncalltool = async params => { // connect has set one, which is passed over to see what is called
  seen.calls.push(params)
  return client.callTool(params)
}
frame.srcdoc = content.text.replace("<head>", `<head><meta http-equiv="Content-Security-Policy" content="${policy}">`)
