// Calls to the server: JSON, streams of events, uploads. Every failure is an Error with a message and a hint.

export class Problem extends Error {
  constructor({ detail, hint, status } = {}) {
    super(detail || 'the server did not answer as it should')
    this.hint = hint || ''
    this.status = status
  }
}

async function failed(response) {
  if (response.status === 401) location.assign('/login')
  let told = {}
  try { told = await response.json() } catch { /* no problem document */ }
  return new Problem({ status: response.status, ...told })
}

async function call(path, options = {}) {
  let response
  try {
    response = await fetch(path, { ...options, headers: { 'X-Quoth': '1', ...options.headers } })
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Problem({ detail: 'the server cannot be reached', hint: 'is quoth serve still running?' })
  }
  if (!response.ok) throw await failed(response)
  return response
}

const json = async (response) => (response.status === 204 ? {} : response.json())
const sent = (method) => async (path, record) => json(await call(path, record === undefined ? { method } : {
  method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(record),
}))

export const get = async (path) => json(await call(path))
export const post = sent('POST')
export const patch = sent('PATCH')
export const remove = sent('DELETE')
export const text = async (path) => (await call(path)).text()

/** A path for an address; bytes of a file's name that are no text come as lone surrogates and go as bytes. */
export const escaped = (path) => [...path].map((one) => {
  const code = one.codePointAt(0)
  return code >= 0xdc80 && code <= 0xdcff ? `%${(code - 0xdc00).toString(16)}` : encodeURIComponent(one)
}).join('')

export const unescaped = (given) => given.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
  try { return decodeURIComponent(run) } catch {
    return run.replace(/%(..)/g, (_, hex) => {
      const code = parseInt(hex, 16)
      return String.fromCharCode(code < 0x80 ? code : 0xdc00 + code)
    })
  }
})

export const query = (values) => Object.entries(values)
  .filter(([, value]) => value !== undefined && value !== null && value !== '')
  .map(([name, value]) => `${name}=${escaped(String(value))}`).join('&')

/** The events of a stream, as [name, record]. */
export async function* events(path, record, signal) {
  const response = await call(path, {
    method: 'POST', signal, body: JSON.stringify(record),
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
  })
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let waiting = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    waiting += value
    const parts = waiting.split('\n\n')
    waiting = parts.pop()
    for (const part of parts) {
      const lines = part.split('\n')
      const name = lines.find((line) => line.startsWith('event: '))?.slice(7)
      const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n')
      if (!name) continue
      if (name === 'error') throw new Problem(JSON.parse(data))
      yield [name, JSON.parse(data)]
    }
  }
}

/** Send files; `moved` is told the share that has been sent. */
export function upload(path, form, moved) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', path)
    request.setRequestHeader('X-Quoth', '1')
    request.upload.addEventListener('progress', (event) => moved(event.total ? event.loaded / event.total : 0))
    request.addEventListener('load', () => {
      let told = {}
      try { told = JSON.parse(request.responseText) } catch { /* no JSON */ }
      if (request.status < 300) resolve(told)
      else reject(new Problem({ status: request.status, ...told }))
    })
    request.addEventListener('error', () => reject(new Problem({ detail: 'the files could not be sent' })))
    request.send(form)
  })
}
