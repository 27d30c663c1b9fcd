"use strict"
// The page draws what tools answer, and calls them through the host. It writes nothing by itself: what it reads anew it
// reads by readings and dry runs, and a run is only ever asked for by a click, which the host or a second click confirms.
// Whatever comes from outside is text: no value is ever parsed as markup.

const at = id => document.getElementById(id)
const part = (selector, of = document) => of.querySelector(selector)

// element makes an element; a child that is no node becomes text, and one that is nothing is left out.
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value
    else made.setAttribute(name, value)
  }
  made.append(...children.filter(child => child !== "" && child !== false && child != null))
  return made
}

// data is a text of somebody else: it keeps its direction to itself, and breaks where it must.
const data = (text, tag = "span") => element(tag, { className: "data", dir: "auto" }, String(text ?? ""))

// ---- The host: JSON-RPC over postMessage (MCP Apps, 2026-01-26)

const waiting = new Map()
let lastID = 0
let host = { capabilities: {}, context: {} }
const post = message => parent.postMessage({ jsonrpc: "2.0", ...message }, "*") // an app does not know its host's origin
const tell = (method, params = {}) => post({ method, params })

function ask(method, params, { seconds = 60, onprogress } = {}) {
  const id = ++lastID
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      waiting.delete(id)
      reject(new Error("The host does not answer."))
    }, seconds * 1000)
    waiting.set(id, { resolve, reject, timer, onprogress })
    post({ id, method, params })
  })
}

const notified = {
  "ui/notifications/tool-input": ({ arguments: given }) => { asked = given ?? {}; status("Reading…", true) },
  "ui/notifications/tool-result": result => accept(result),
  "ui/notifications/tool-cancelled": ({ reason }) => status(reason ? `The call was cancelled: ${reason}` : "The call was cancelled."),
  "ui/notifications/host-context-changed": changed => dress({ ...host.context, ...changed }),
  "notifications/progress": ({ progressToken, message, progress, total }) =>
    waiting.get(progressToken)?.onprogress?.(total ? `${message ?? ""} (${progress} of ${total})` : message ?? ""),
}

const answered = {
  ping: () => ({}),
  "ui/resource-teardown": () => { for (const button of document.querySelectorAll("button")) button.disabled = true; return {} },
}

window.addEventListener("message", event => {
  const message = event.data
  if (event.source !== parent || message?.jsonrpc !== "2.0") return
  if (message.method && message.id !== undefined) {
    const answer = answered[message.method]
    if (answer) post({ id: message.id, result: answer(message.params ?? {}) })
    else post({ id: message.id, error: { code: -32601, message: "Method not found" } })
  } else if (message.method) {
    notified[message.method]?.(message.params ?? {})
  } else if (waiting.has(message.id)) {
    const { resolve, reject, timer } = waiting.get(message.id)
    waiting.delete(message.id)
    clearTimeout(timer)
    if (message.error) reject(Object.assign(new Error(message.error.message || "The host refused."), { code: message.error.code }))
    else resolve(message.result ?? {})
  }
})

// call calls a tool through the host. A result that is an error is thrown, with what it says.
async function call(name, given, { seconds, onprogress } = {}) {
  const params = { name, arguments: given }
  if (onprogress) params._meta = { progressToken: lastID + 1 }
  const result = await ask("tools/call", params, { seconds, onprogress })
  if (result.isError) throw Object.assign(new Error(words(result) || `${name} failed.`), { problem: problem(result) })
  return result.structuredContent ?? {}
}

// problem is what the gateway says of an error, for a program; words is what it says to a person.
const problem = result => result._meta?.["retentionops/problem"] ?? {}
const words = result => {
  const { detail, hint, code, run_id: run } = problem(result)
  if (detail) return `${sentence(detail)} ${sentence(hint)} (${code}, ${run})`
  return (result.content ?? []).filter(one => one.type === "text").map(one => one.text).join("\n")
}

// dress takes over the host's theme and its colours.
function dress(context) {
  try {
    new Intl.DateTimeFormat("en", { timeZone: context.timeZone })
    host.context = context
  } catch { // a zone that nobody knows
    host.context = { ...context, timeZone: undefined }
  }
  const root = document.documentElement
  root.dataset.theme = context.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")
  for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
    if (/^--[a-z0-9-]+$/.test(name) && typeof value === "string") root.style.setProperty(name, value)
  }
}

// ---- What is shown

let asked = {} // what the tool was called with whose result came first
const shown = {} // the answers, by what they are

const purposes = { P1: "Prevention", P2: "Intervention", P3: "Win-back" }
const kinds = { INFO: "", WARNING: "warn", CRITICAL: "bad", ok: "good", warn: "warn", stop: "bad", success: "good", failed: "bad", confirmed: "good" }
const count = new Intl.NumberFormat("en")
const percent = value => `${value} %`
const signed = value => `${value > 0 ? "+" : ""}${value} %`

function money(value) {
  const currency = shown.brief?.currency
  try {
    return new Intl.NumberFormat("en", currency ? { style: "currency", currency } : { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value)
  } catch { // no currency that anybody knows
    return `${currency} ${value}`
  }
}

const chip = (text, kind = kinds[text] ?? "plain") => element("span", { className: `chip ${kind} data`, dir: "auto" }, String(text))

function rows(pairs) {
  const list = element("dl", { className: "rows" })
  for (const [name, ...values] of pairs) {
    if (values.some(value => value !== "" && value != null)) list.append(element("dt", {}, name), element("dd", {}, ...values))
  }
  return list
}

function note(kind, title, text, ...more) {
  return element("div", { className: `note ${kind}` }, title && element("h3", {}, title), text && element("p", { className: "data", dir: "auto" }, text), ...more)
}

function status(text, busy = false) {
  at("status").textContent = text
  at("status").className = busy ? "busy" : ""
  part("main").setAttribute("aria-busy", String(busy))
}

function draw() {
  drawHead()
  drawAlert()
  drawTiers()
  drawTop()
  drawPlan()
  drawCustomers()
  drawBrief()
}

function drawHead() {
  const { brief, alert, context, run } = shown
  const day = brief?.date ?? alert?.alert_date ?? run?.date ?? context?.date ?? ""
  at("day").textContent = day
  at("day").dateTime = day
  const severity = alert?.severity ?? brief?.severity ?? run?.severity
  const phase = brief?.phase ?? run?.phase
  at("chips").replaceChildren(...[severity && chip(severity), phase && chip(`phase ${phase}`, "plain")].filter(Boolean))
  const version = brief?.rules_version ?? context?.rules_version ?? run?.rules_version
  const stale = [brief, context, run].some(one => one?.rules_stale) ? " · older rules are in force than those published" : ""
  at("foot").textContent = version ? `Rules ${version}${stale}` : ""
}

function drawAlert() {
  const { alert } = shown
  at("alert").hidden = !alert
  if (!alert) return
  const level = String(alert.severity).toLowerCase()
  at("alert").className = level
  const figures = [["AT_RISK now", percent(alert.current_value)]]
  if (alert.baseline_value != null) figures.push(["Baseline, 7 days", percent(alert.baseline_value)])
  if (alert.delta_relative_pct != null) figures.push(["Change", signed(alert.delta_relative_pct)])
  figures.push(["Customers counted", count.format(alert.sample_size)])
  at("figures").replaceChildren(...figures.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))))
  at("reason").textContent = alert.reason
  drawGauge(alert, level)
}

// drawGauge draws the share against its baseline, with a mark from where the share is a WARNING and a CRITICAL.
function drawGauge({ current_value: now, baseline_value: baseline, thresholds }, level) {
  const gauge = at("gauge")
  gauge.hidden = !baseline // none yet, or nothing to hold the share against
  if (gauge.hidden) return
  const marks = [["WARNING", thresholds.warning_pct], ["CRITICAL", thresholds.critical_pct]].map(([name, pct]) => [name, baseline * (1 + pct / 100)])
  const most = Math.max(now, ...marks.map(([, value]) => value)) * 1.04 || 1
  const bar = (name, value, kind) => {
    const fill = element("span", { className: `fill ${kind}` })
    fill.style.width = `${100 * value / most}%`
    const track = element("span", { className: "track" }, fill)
    for (const [title, place] of kind ? marks : []) {
      const mark = element("span", { className: "mark", title })
      mark.style.insetInlineStart = `${100 * place / most}%`
      track.append(mark)
    }
    return [element("span", {}, name), track]
  }
  gauge.replaceChildren(...bar("Now", now, `now ${level}`), ...bar("Baseline", baseline, ""),
    element("span"), element("span", {}, `Marks: ${marks.map(([name, value]) => `${name} from ${percent(value.toFixed(2))}`).join(", ")}`))
  gauge.setAttribute("aria-label", `${percent(now)} now against ${percent(baseline)}; ${marks.map(([name, value]) => `${name} from ${percent(value.toFixed(2))}`).join(", ")}`)
}

const tierName = tier => [element("span", { className: "dot", ariaHidden: "true" }), data(tier), " ", element("span", { className: "sub" }, purposes[tier] ?? "")]

function drawTiers() {
  const planned = shown.run?.plan?.tiers?.length > 0
  const tiers = planned ? shown.run.plan.tiers : shown.context?.tier_preview ?? []
  at("tiers").hidden = !tiers.length
  const table = part("table", at("tiers"))
  part("thead th:last-child", table).hidden = !planned
  part("tbody", table).replaceChildren(...tiers.map(tier => element("tr", { className: String(tier.tier) },
    element("th", { scope: "row" }, ...tierName(tier.tier)),
    element("td", { className: "number" }, count.format(tier.customers)), element("td", { className: "number" }, money(tier.value_at_risk)),
    planned && element("td", {}, tier.exported ? "yes" : element("span", { className: "quiet" }, "no")))))
  const sum = name => tiers.reduce((all, tier) => all + tier[name], 0)
  part("tfoot", table).replaceChildren(element("tr", {}, element("th", { scope: "row" }, "All"),
    element("td", { className: "number" }, count.format(sum("customers"))), element("td", { className: "number" }, money(sum("value_at_risk"))),
    planned && element("td")))
}

function drawTop() {
  const top = shown.brief?.top_customers ?? []
  at("top").hidden = !top.length
  const named = top.some(one => one.customer_id)
  const cell = (role, tag, className, ...children) => element(tag, { role, className, ...(tag === "th" ? { scope: role === "rowheader" ? "row" : "col" } : {}) }, ...children)
  const titles = [["Tier", ""], ["Value", "number"], ["Score", "number"], ["Why", "wide"]]
  if (named) titles.splice(1, 0, ["Customer", "wide customer"])
  part("thead tr", at("top")).replaceChildren(...titles.map(([title, kind]) => cell("columnheader", "th", kind, title)))
  part("tbody", at("top")).replaceChildren(...top.map(one => element("tr", { role: "row", className: String(one.tier) },
    cell("rowheader", "th", "", element("span", { className: "dot", ariaHidden: "true" }), data(`${one.tier} · ${one.rank}`)),
    named && cell("cell", "td", "wide customer", data(one.customer_id)),
    cell("cell", "td", "number", money(one.value_proxy)), cell("cell", "td", "number", Number(one.score).toFixed(1)),
    cell("cell", "td", "wide", data(one.reason), element("span", { className: "sub data", dir: "auto" }, one.action ?? "")))))
}

function drawPlan() {
  const { run, acting } = shown
  at("buttons").hidden = !host.capabilities.serverTools || acting === "hidden"
  at("trigger").hidden = acting !== "shown" || !allowed
  at("trigger").disabled = true
  at("trigger-note").textContent = ""
  if (!run) {
    at("would").replaceChildren(element("p", { className: "data quiet", dir: "auto" }, shown.refusal ?? ""))
    return
  }
  const { plan, guardrails } = run
  at("would").replaceChildren(element("p", { className: "data", dir: "auto" }, `${sentence(run.reason)}`), guardsOf(guardrails), plan ? planOf(plan) : "")
  const quiet = shown.alert && !shown.alert.action_required
  const stopped = guardrails.verdict === "stop"
  at("trigger").disabled = !plan || quiet || stopped
  if (acting !== "shown" || !plan) return
  at("trigger-note").textContent = quiet ? "There is no alert, so there is nothing to run." : stopped ? "A guardrail stops a run; this page does not pass it." :
    plan.sends ? "You are asked once more before anything is sent." : "You are asked once more. In this phase nothing leaves the house."
}

// sentence begins with a capital letter, unless it begins with a name, and ends with a full stop.
const sentence = text => text ? (/^[a-z]+\b/.test(text) ? text[0].toUpperCase() : text[0]) + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".") : ""

function guardsOf(guardrails) {
  const findings = guardrails.findings ?? []
  return element("div", {}, element("h3", {}, "Guardrails ", chip(guardrails.verdict)),
    findings.length ? element("ul", { className: "plainlist" }, ...findings.map(one => element("li", {}, data(one.message)))) :
      element("p", { className: "quiet data", dir: "auto" }, guardrails.compared_with ? `Against: ${guardrails.compared_with}` : "Nothing to report."))
}

function planOf(plan) {
  const tiers = plan.tiers.filter(tier => tier.exported)
  const { ticket } = plan
  return element("div", {}, element("h3", {}, "What goes where"), rows([
    ["Exports", data(tiers.map(tier => `${tier.tier} (${count.format(tier.customers)})`).join(", ") || "none"),
      plan.destinations.length ? data(` to ${plan.destinations.join(", ")}`) : ""],
    ["Slack", plan.sends && plan.channel ? data(plan.channel) : "nobody is told", plan.sends && plan.mention && plan.mention !== "nobody" ? data(`, notifies ${plan.mention}`) : ""],
    ["Ticket", ticket ? data(`${ticket.project} ${ticket.type}, ${ticket.priority}`) : "none is opened", ticket ? element("span", { className: "sub data", dir: "auto" }, ticket.title) : ""],
    ["Answer due", ticket?.due ? data(moment(ticket.due)) : ""],
    ["Plan", element("code", { title: plan.digest }, String(plan.digest).slice(0, 12))],
  ]))
}

// moment and clock write a time in the zone of the host.
function moment(text, how = { dateStyle: "medium", timeStyle: "short" }) {
  const when = new Date(text)
  return isNaN(when) ? String(text) : new Intl.DateTimeFormat("en-GB", { ...how, timeZone: host.context.timeZone }).format(when)
}

const clock = text => moment(text, { timeStyle: "short" })

function drawCustomers() {
  const { context } = shown
  at("context").hidden = !context
  if (!context) return
  const entries = Object.entries(context.status_distribution)
  const all = Math.max(1, entries.reduce((sum, [, customers]) => sum + customers, 0))
  const split = element("div", { className: "split", ariaHidden: "true" }, ...entries.map(([name, customers]) => {
    const piece = element("span", { className: name })
    piece.style.flexGrow = customers
    return piece
  }))
  const key = element("ul", { className: "key" }, ...entries.map(([name, customers]) => element("li", {},
    element("i", { className: name, ariaHidden: "true" }), `${name} ${count.format(customers)} `, element("span", { className: "quiet" }, `(${(100 * customers / all).toFixed(1)} %)`))))
  const risks = Object.entries(context.at_risk_by_risk_level).map(([name, customers]) => `${name} ${count.format(customers)}`).join(", ")
  const issues = context.data_quality.issues ?? []
  at("customers").replaceChildren(split, key, rows([
    ["In the data", count.format(context.total_customers)], ["AT_RISK by risk", risks],
    ["Excluded", context.excluded ? `${count.format(context.excluded)}, on the exclusion list` : ""],
    ["Set aside", context.data_quality.set_aside ? `${count.format(context.data_quality.set_aside)}, not judged` : "nobody: the data is whole"],
  ]), issues.length ? element("ul", { className: "plainlist" }, ...issues.map(one => element("li", {}, data(`${count.format(one.customers)}: ${one.meaning}`)))) : "")
}

function drawBrief() {
  const { brief } = shown
  at("brief").hidden = !brief?.text
  part("pre", at("brief")).textContent = brief?.text ?? ""
}

// drawOutcome tells how a run ended.
function drawOutcome(run) {
  const artifacts = run.artifacts ?? {}
  const went = run.status === "success" ? "good" : run.status === "skipped" ? "" : "bad"
  const title = run.already_done ? "This was run before; nothing was done now" : { success: "The playbook ran", skipped: "Nothing was sent" }[run.status] ?? "The playbook did not come through"
  at("outcome").replaceChildren(note(went, title, sentence(run.reason), rows([
    ["Status", chip(run.status)], ["Delivery", chip(run.delivery_state)],
    ["Slack", artifacts.slack_posted ? data(`posted ${artifacts.slack_message_ts ?? ""}`) : ""], ["Ticket", artifacts.jira_ticket ? data(artifacts.jira_ticket) : ""],
    ["Files", ...(artifacts.exports ?? []).map(one => element("span", { className: "sub" }, `${one.tier}, ${count.format(one.rows)} customers: `, linked(one.link)))],
    ["Backup mail", run.backup_mail ? data(`${run.backup_mail.sent ? "sent" : "not sent"} to ${run.backup_mail.to_role}`) : ""],
    ["Audit row", run.log_written ? "written" : "kept, to be written later"], ["Run", element("code", {}, run.run_id)],
  ])))
  at("outcome").focus()
}

// linked is an address that the host may open; one that no browser should open is text.
function linked(address) {
  if (!/^https:\/\//.test(address) || !host.capabilities.openLinks) return data(address)
  return element("button", { className: "link data", type: "button", onclick: () => ask("ui/open-link", { url: address }).catch(why => status(why.message)) }, address)
}

// ---- What is done

// accept takes in the result that the host hands over: that of the tool for which it shows the page.
async function accept(result) {
  const given = result.structuredContent ?? {}
  const ran = given.delivery_state && !given.dry_run
  const what = new Set(Object.keys(readings))
  if (result.isError && !("dry_run" in asked)) what.delete("brief") // it has just failed
  if (!result.isError && given.delivery_state && given.dry_run) {
    Object.assign(shown, { run: given, acting: "shown" })
    what.delete("run")
  } else if (!result.isError && given.subject) {
    shown.brief = given
    what.delete("brief")
  }
  await read(given.date ?? asked.date ?? "latest", [...what])
  if (result.isError) at("outcome").replaceChildren(note(problem(result).code === "failed_precondition" ? "" : "bad", "Not everything can be shown", words(result)))
  else if (ran || given.confirmation) ended(given, asked)
}

const readings = {
  brief: date => call("generate_brief", { date }),
  alert: date => call("get_alert_decision", { date }),
  context: date => call("get_operational_context", { date }),
  run: date => call("trigger_playbook", { date, dry_run: true }),
}

// read reads anew and draws. Each reading may fail by itself; what the others tell is shown.
async function read(date, what) {
  if (!host.capabilities.serverTools) {
    draw()
    status("This assistant lets the page call no tools: it shows what it was given.")
    return
  }
  busy(true)
  status("Reading…", true)
  const said = []
  await Promise.all(what.map(async one => {
    try {
      const answer = await readings[one](date)
      if (one === "run") shown.acting = "shown"
      shown[one] = answer
    } catch (why) {
      delete shown[one]
      if (one === "run") actingRefused(why)
      else said.push(why.message)
    }
  }))
  busy(false)
  draw()
  status([...new Set(said)].join(" ") || `Read at ${clock(Date.now())}; nothing was written.`)
}

// actingRefused tells a gateway that offers no acting from a run that cannot be planned.
function actingRefused(why) {
  shown.acting = why.code === -32602 ? "hidden" : "failed"
  shown.refusal = shown.acting === "hidden" ? "Runs are not offered here: this page shows what there is to read." : why.message
}

let allowed = true // to run, as far as is known
let working = false
function busy(now) {
  working = now
  for (const id of ["dry-run", "trigger", "yes", "no"]) at(id).disabled = now
}

at("dry-run").addEventListener("click", async () => {
  if (working) return
  at("outcome").replaceChildren()
  at("confirm").hidden = true
  await read(shown.run?.date ?? shown.brief?.date ?? "latest", Object.keys(readings))
})

at("trigger").addEventListener("click", () => run({ date: shown.run.date, dry_run: false }))

// run asks for the run. The host asks its person, or the gateway answers what will happen and with which token it may be
// confirmed here.
async function run(given) {
  if (working) return
  at("outcome").replaceChildren()
  at("confirm").hidden = true
  busy(true)
  status("Asking for the run…", true)
  try {
    const answer = await call("trigger_playbook", given, { seconds: 600, onprogress: text => status(text, true) })
    status("")
    ended(answer, given)
  } catch (why) {
    status("")
    allowed = why.problem?.code !== "permission_denied" // this caller sees dry runs alone
    at("trigger").hidden = !allowed
    at("outcome").replaceChildren(note("bad", "The run did not come through", why.message))
    if (why.problem?.result?.run_id) drawOutcome(why.problem.result)
    at("outcome").focus()
  }
  busy(false)
  at("trigger").disabled = true // a new dry run shows first what a next run would do
  at("trigger-note").textContent = at("confirm").hidden ? "A dry run shows what another run would do." : ""
}

// ended tells what came of asking for a run: a run, a no, or a question of the gateway.
function ended(answer, given) {
  if (answer.confirm_token) {
    pending = { ...given, confirm_token: answer.confirm_token }
    at("confirm-words").textContent = answer.summary
    at("confirm-until").textContent = answer.expires_at ? `Nothing has been sent yet. You can say yes until ${clock(answer.expires_at)}.` : "Nothing has been sent yet."
    at("confirm").hidden = false
    at("confirm").focus()
    return
  }
  if (answer.confirmation) {
    at("outcome").replaceChildren(note("", "Nothing was sent", `The run was ${answer.confirmation}.`))
    at("outcome").focus()
    return
  }
  drawOutcome(answer)
  if (host.capabilities.updateModelContext) {
    const text = `The playbook of ${answer.date} was run from the page: status ${answer.status}, delivery ${answer.delivery_state}, run ${answer.run_id}.`
    ask("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {}) // the assistant can ask the run log
  }
}

let pending = null // what is sent when the person says yes
at("yes").addEventListener("click", () => {
  const given = pending
  pending = null
  if (given) run(given)
})
at("no").addEventListener("click", () => {
  pending = null
  at("confirm").hidden = true
  status("Nothing was sent.")
  at("dry-run").focus()
})

// ---- Beginning

dress({})
if (parent === window) {
  status("This page is drawn inside an assistant that speaks MCP Apps.")
} else {
  ask("ui/initialize", {
    protocolVersion: "2026-01-26", appInfo: { name: "retentionops-action-pack", title: "RetentionOps: action pack", version: "1" },
    appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
  }).then(begun => {
    host.capabilities = begun.hostCapabilities ?? {}
    dress(begun.hostContext ?? {})
    tell("ui/notifications/initialized")
    let last = 0
    new ResizeObserver(() => {
      const height = Math.ceil(part("main").getBoundingClientRect().height)
      if (height !== last) tell("ui/notifications/size-changed", { height })
      last = height
    }).observe(part("main"))
  }).catch(why => status(why.message))
}
