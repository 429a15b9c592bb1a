// Renames the functions of a WebAssembly module so that their names' order puts those that are alike side by side:
//   node scripts/alike.mjs IN OUT, then wasm-opt --reorder-functions-by-name
// What is uploaded is compressed, and gzip sees no further back than 32 KiB: many functions differ in little from
// others of their kind, which the linker leaves far away.
import { readFileSync, writeFileSync } from 'node:fs'

/** Bytes that count as one piece, when functions are compared. */
const PIECE = 6
/** A piece that so many functions have says nothing about any. */
const COMMON = 60
/** So many functions before are looked at: about what gzip still sees. */
const BEFORE = 12

const CUSTOM = 0
const IMPORTS = 2
const CODE = 10

class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes
    this.at = at
  }
  byte() {
    return this.bytes[this.at++]
  }
  number() {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte()
      value |= (byte & 127) << shift
      if (byte < 128) return value >>> 0
    }
  }
  piece() {
    const length = this.number()
    return this.bytes.subarray(this.at, (this.at += length))
  }
  limits() {
    const hasMost = this.byte() & 1
    this.number()
    if (hasMost) this.number()
  }
}

function* sections(bytes) {
  const reader = new Reader(bytes, 8)
  while (reader.at < bytes.length) {
    const start = reader.at
    const id = reader.byte()
    const body = reader.piece()
    yield { id, body, whole: bytes.subarray(start, reader.at) }
  }
}

/** How many functions are imported: they come first in the count of all. */
function imported(body) {
  const reader = new Reader(body)
  let functions = 0
  for (let left = reader.number(); left > 0; left--) {
    reader.piece()
    reader.piece()
    switch (reader.byte()) {
      case 0:
        reader.number()
        functions++
        break
      case 1:
        reader.byte()
        reader.limits()
        break
      case 2:
        reader.limits()
        break
      case 3:
        reader.at += 2
        break
      default:
        reader.byte()
        reader.number()
    }
  }
  return functions
}

function bodies(section) {
  const reader = new Reader(section)
  return Array.from({ length: reader.number() }, () => reader.piece())
}

/** What a function consists of: every piece of it, once, as a number. */
function pieces(body) {
  const found = new Set()
  for (let at = 0; at + PIECE <= body.length; at++) {
    let hash = 0x811c9dc5
    for (let next = 0; next < PIECE; next++) hash = Math.imul(hash ^ body[at + next], 0x01000193)
    found.add(hash)
  }
  return [...found]
}

/** The functions one after the other, each followed by the one that has most in common with those just before it. */
function order(functions) {
  const parts = functions.map(pieces)
  const holders = new Map()
  parts.forEach((all, index) => {
    for (const piece of all) holders.get(piece)?.push(index) ?? holders.set(piece, [index])
  })
  const taken = new Uint8Array(functions.length)
  const common = new Uint32Array(functions.length)
  const ordered = []
  let first = 0
  let next = functions.reduce((best, body, index) => (body.length > functions[best].length ? index : best), 0)
  while (next !== undefined) {
    taken[next] = 1
    ordered.push(next)
    const seen = []
    for (const before of ordered.slice(-BEFORE)) {
      for (const piece of parts[before]) {
        const others = holders.get(piece)
        if (others.length >= COMMON) continue
        for (const other of others) {
          if (taken[other]) continue
          if (common[other]++ === 0) seen.push(other)
        }
      }
    }
    next = undefined
    let best = 0
    for (const other of seen) {
      const share = common[other] / (parts[other].length + 200)
      if (share > best) [best, next] = [share, other]
      common[other] = 0
    }
    while (next === undefined && first < functions.length) {
      if (!taken[first]) next = first
      first++
    }
  }
  return ordered
}

function number(value) {
  const bytes = []
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0))
    value >>>= 7
  } while (value > 0)
  return Buffer.from(bytes)
}

const sized = (bytes) => Buffer.concat([number(bytes.length), bytes])

/** The section that names functions. */
function named(ordered, offset) {
  const names = ordered.map((index, place) => ({ index: index + offset, name: String(place).padStart(6, '0') }))
  names.sort((one, other) => one.index - other.index)
  const pairs = names.map(({ index, name }) => Buffer.concat([number(index), sized(Buffer.from(name))]))
  const functions = Buffer.concat([number(pairs.length), ...pairs])
  const body = Buffer.concat([sized(Buffer.from('name')), Buffer.from([1]), sized(functions)])
  return Buffer.concat([Buffer.from([CUSTOM]), sized(body)])
}

const [from, to] = process.argv.slice(2)
const module = readFileSync(from)
const all = [...sections(module)]
const body = (id) => all.find((section) => section.id === id)?.body ?? Buffer.from([0])
const isNames = ({ id, body }) => id === CUSTOM && new Reader(body).piece().toString() === 'name'
const kept = all.filter((section) => !isNames(section)).map(({ whole }) => whole)
writeFileSync(to, Buffer.concat([module.subarray(0, 8), ...kept, named(order(bodies(body(CODE))), imported(body(IMPORTS)))]))
