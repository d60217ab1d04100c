// The JavaScript side of the tests: js-auth with its storages, driven by one JSON
// object a line. Each command is answered with its id and a result or an error;
// commands run concurrently. Tests have it one after the other, each from a begin to
// an end.
import { createHash } from "node:crypto"
import dns from "node:dns"
import { createInterface } from "node:readline"

import { RequestCookies, ResponseCookies } from "@edge-runtime/cookies"
import Cookies from "js-cookie"
import { createStorage, normalizeKey, prefixStorage } from "unstorage"
import memoryDriver from "unstorage/drivers/memory"
import redisDriver from "unstorage/drivers/redis"

// js-auth remembers keys for as long as it lives: each test loads another one.
let jsAuth
let tests = 0

// No name leads anywhere but to this machine.
dns.lookup = (_host, options, done) => {
  const found = options?.all ? [[{ address: "127.0.0.1", family: 4 }]] : ["127.0.0.1", 4]
  process.nextTick(done ?? options, null, ...found)
}

// js-auth's clock, which commands put forward.
const systemClock = Date.now
let ahead = 0
Date.now = () => systemClock() + ahead

// What js-auth has asked for, by address.
const asked = []
const realFetch = globalThis.fetch
globalThis.fetch = (address, options) => {
  asked.push(String(address))
  return realFetch(address, options)
}

// What commands have made, by the names that they gave it.
const storages = new Map()
const helpers = new Map()
const opened = [] // storages that hold connections

// browser stands for a document with cookies: in document.cookie reading and writing
// are two things.
const browser = { jar: "", written: "" }
globalThis.document = {
  get cookie() {
    return browser.jar
  },
  set cookie(text) {
    browser.written = text
  },
}

// cookieName is what js-auth's example makes of a key on its server side, where
// the library leaves names alone: what js-cookie makes of it in the browser.
function cookieName(key) {
  return encodeURIComponent(key).replace(/%(2[346B]|5E|60|7C)/g, decodeURIComponent)
}

// serverCookies is the storage of js-auth's example for the cookies of a request and
// its answer, in next/headers.
function serverCookies(header) {
  const request = new RequestCookies(new Headers({ cookie: header }))
  const headers = new Headers()
  const response = new ResponseCookies(headers)
  return {
    answer: () => headers.getSetCookie(),
    getItem: async (key) => JSON.parse(request.get(cookieName(key))?.value ?? "null"),
    setItem: async (key, value) => {
      response.set(cookieName(key), JSON.stringify(value), { secure: true })
    },
    removeItem: async (key) => {
      response.set(cookieName(key), JSON.stringify(null), { maxAge: 0 })
    },
  }
}

// browserCookies is the same in the browser.
function browserCookies(jar) {
  browser.jar = jar
  browser.written = ""
  return {
    answer: () => [browser.written],
    getItem: async (key) => JSON.parse(Cookies.get(key) || "null"),
    setItem: async (key, value) => {
      Cookies.set(key, JSON.stringify(value), { secure: true })
    },
    removeItem: async (key) => {
      Cookies.remove(key)
    },
  }
}

const commands = {
  async begin() {
    jsAuth = await import(`./node_modules/@commercelayer/js-auth/dist/index.mjs?test=${++tests}`)
  },
  async end() {
    await Promise.all(opened.splice(0).map((storage) => storage.dispose()))
    storages.clear()
    helpers.clear()
    asked.length = 0
    ahead = 0
  },

  // storage makes one in Redis: prefix is that of prefixStorage, mount where the
  // driver is mounted, layers says what is in front.
  storage({ name, driver, prefix, mount, layers = [] }) {
    let storage = createStorage(mount ? {} : { driver: redisDriver(driver) })
    opened.push(storage)
    if (mount) {
      storage.mount(mount, redisDriver(driver))
      storage = prefixStorage(storage, mount)
    }
    if (prefix) {
      storage = prefixStorage(storage, prefix)
    }
    for (const layer of layers) {
      const memory = { ...createStorage({ driver: memoryDriver() }), name: "memory" }
      storage =
        layer === "below"
          ? jsAuth.createCompositeStorage({ name: "outer", storages: [{ ...storage, name: "redis" }, jsAuth.createCompositeStorage({ name: "inner", storages: [memory] })] })
          : jsAuth.createCompositeStorage({ name: "outer", storages: [memory, storage] })
    }
    storages.set(name, storage)
  },

  setItem: ({ storage, key, value }) => storages.get(storage).setItem(key, value),
  getItem: ({ storage, key }) => storages.get(storage).getItem(key),
  normalizeKey: ({ keys }) => keys.map((key) => normalizeKey(key)),

  salesChannel({ name, storage, options }) {
    helpers.set(name, jsAuth.makeSalesChannel(options, { storage: storages.get(storage) }))
  },
  // documented makes the sales channel that a snippet of the documentation makes, for
  // the request that brings these cookies.
  documented({ name, storage, snippet, cookies, options: { clientId, scope, domain } }) {
    const request = new RequestCookies(new Headers({ cookie: cookies }))
    const make = new Function("createHash", "makeSalesChannel", "cookies", "storage", "clientId", "scope", `${snippet}\nreturn salesChannel`)
    const here = (options, store) => jsAuth.makeSalesChannel({ ...options, domain }, store)
    helpers.set(name, make(createHash, here, request, storages.get(storage), clientId, scope))
  },
  integration({ name, storage, options }) {
    helpers.set(name, jsAuth.makeIntegration(options, { storage: storages.get(storage) }))
  },
  clock({ minutes }) {
    ahead = minutes * 60_000
  },
  call: ({ helper, method, args = [] }) => helpers.get(helper)[method](...args),
  authenticate: ({ grant, options }) => jsAuth.authenticate(grant, options),

  // library calls one of js-auth's functions that need no helper, without the functions
  // that old runtimes lack if it is to do with Node's Buffer.
  async library({ name, args, buffer }) {
    const { atob, btoa } = globalThis
    if (buffer) {
      globalThis.atob = globalThis.btoa = undefined
    }
    try {
      return await jsAuth[name](...args)
    } finally {
      Object.assign(globalThis, { atob, btoa })
    }
  },

  // asked is for what js-auth has asked since the last time.
  asked: () => asked.splice(0),

  // withCookies calls a sales channel whose customers are in cookies, on the server or
  // in the browser, and returns what it has set.
  async withCookies({ where, cookies, storage, options, method, args = [] }) {
    const customerStorage = where === "server" ? serverCookies(cookies) : browserCookies(cookies)
    const channel = jsAuth.makeSalesChannel(options, { storage: storages.get(storage), customerStorage })
    const result = await channel[method](...args)
    return { result, cookies: customerStorage.answer().filter((text) => text !== "") }
  },
}

function answer(id, message) {
  process.stdout.write(`${JSON.stringify({ id, ...message })}\n`)
}

// js-auth's debug lines and other libraries' must not get between the answers.
console.log = console.error

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, ...options } = JSON.parse(line)
  Promise.resolve()
    .then(() => commands[command](options))
    .then(
      (result) => answer(id, { result: result ?? null }),
      (error) => answer(id, { error: { name: error.name, message: error.message, tokenError: jsAuth !== undefined && error instanceof jsAuth.TokenError } }),
    )
}
process.exit(0) // Redis's connections would keep it
