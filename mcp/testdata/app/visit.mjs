// Visits a host page with a browser, does what it is told, and says as JSON what came of each step.
//
//   node visit.mjs CHROMIUM ADDRESS STEPS      (STEPS: JSON, a list of [where, what, script])
//
// where is app or host; what is look (the value of the script), until (wait until it is true, then its value) or shot
// (a picture into the file that the script names).
import { createRequire } from "node:module"
import path from "node:path"

const require = createRequire(path.join(process.env.NODE_PATH, "none.js"))
const puppeteer = require("puppeteer-core")
const [chromium, address, steps] = process.argv.slice(2)
const patience = 25_000

const browser = await puppeteer.launch({
  executablePath: chromium, headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"],
})
const said = [], requests = [], values = []
try {
  const page = await browser.newPage()
  await page.setViewport({ width: 760, height: 900 })
  page.on("pageerror", fault => said.push(String(fault)))
  page.on("console", message => said.push(message.text()))
  page.on("request", request => requests.push(request.url()))
  await page.goto(address)
  const frame = async () => {
    for (let left = patience; left > 0; left -= 50) {
      const found = page.frames().find(one => one !== page.mainFrame())
      if (found) return found
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    throw new Error("there is no frame")
  }
  for (const [where, what, script] of JSON.parse(steps)) {
    if (what === "shot") {
      await page.screenshot({ path: script, fullPage: true })
      continue
    }
    const at = where === "app" ? await frame() : page.mainFrame()
    if (what === "until") {
      await at.waitForFunction(script, { timeout: patience, polling: 50 }).catch(async why => {
        const text = await at.evaluate("document.body.innerText").catch(String)
        const seen = await page.evaluate("JSON.stringify(window.seen)").catch(String)
        throw new Error(`${script} does not come true: ${why.message}\n${text}\n${seen}\n${said.join("\n")}`)
      })
    }
    values.push(await at.evaluate(script) ?? null)
  }
  console.log(JSON.stringify({ values, said, requests }))
} finally {
  await browser.close()
}
