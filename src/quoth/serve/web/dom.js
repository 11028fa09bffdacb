// Small things that all modules use. Text from files, people and models only ever becomes text nodes.

export const body = document.body
export const $ = (selector, root = document) => root.querySelector(selector)
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)]

const SVG = 'http://www.w3.org/2000/svg'
const ICONS = {
  up: 'M7 10v10H4V10zm0 0 4-7c1.5 0 2.4 1 2.1 2.6L12.5 9H18c1.4 0 2.3 1.2 2 2.5l-1.5 6.7c-.2 1-1.1 1.8-2.2 1.8H7',
  down: 'M17 14V4h3v10zm0 0-4 7c-1.5 0-2.4-1-2.1-2.6L11.5 15H6c-1.4 0-2.3-1.2-2-2.5l1.5-6.7C5.7 4.8 6.6 4 7.7 4H17',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  cross: 'M6 6l12 12M18 6 6 18',
  star: 'm12 4 2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8z',
  pin: 'M12 21c4-5 6-8 6-11a6 6 0 0 0-12 0c0 3 2 6 6 11zm0-8.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  plus: 'M12 5v14M5 12h14',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2m0 16v2M2 12h2m16 0h2M5 5l1.4 1.4M17.6 17.6 19 19M19 5l-1.4 1.4M6.4 17.6 5 19',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z',
  key: 'M3 7h18v10H3zm4 3h.01M11 10h.01M15 10h.01M8 14h8',
  out: 'M10 4H5v16h5m4-4 4-4-4-4m4 4H9',
  send: 'M12 19V5m-6 6 6-6 6 6',
  stop: 'M7 7h10v10H7z',
}

/** An element. Attributes that are functions listen; `class`, `dataset` and the rest are set as they are. */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue
    if (typeof value === 'function') made.addEventListener(name, value)
    else if (name === 'dataset') Object.assign(made.dataset, value)
    else if (name === 'value') made.value = value
    else made.setAttribute(name, value === true ? '' : value)
  }
  made.append(...children.flat(3).filter((one) => one !== null && one !== undefined && one !== false && one !== ''))
  return made
}

export function icon(name) {
  const drawn = document.createElementNS(SVG, 'svg')
  drawn.setAttribute('viewBox', '0 0 24 24')
  drawn.setAttribute('class', 'icon')
  drawn.setAttribute('aria-hidden', 'true')
  const path = document.createElementNS(SVG, 'path')
  path.setAttribute('d', ICONS[name])
  drawn.append(path)
  return drawn
}

/** A button that shows a picture; `label` is its name, `does` what it does. */
export const pictured = (name, label, does, more = {}) =>
  h('button', { type: 'button', class: 'pictured', 'aria-label': label, title: label, click: does, ...more }, icon(name))

export const button = (words, does, more = {}) => h('button', { type: 'button', click: does, ...more }, words)

/** Say something to a screen reader, once. */
export function tell(words) {
  const told = $('#told')
  told.textContent = ''
  setTimeout(() => { told.textContent = words }, 50)
}

let leaving
/** Say something to everybody, for a while. */
export function toast(words, wrong = false) {
  $('.toast')?.remove()
  clearTimeout(leaving)
  const shown = h('div', { class: wrong ? 'toast wrong' : 'toast' }, words)
  ;($('dialog[open]') ?? body).append(shown)
  tell(words)
  leaving = setTimeout(() => shown.remove(), wrong ? 9000 : 4000)
}

/** What a failed call said, with what to do about it. */
export const explain = (error) => (error.hint ? `${error.message} (${error.hint})` : error.message)

/** Do something that may fail; what went wrong is said. */
export const safely = (does) => async (...given) => {
  try {
    return await does(...given)
  } catch (error) {
    if (error.name !== 'AbortError') toast(explain(error), true)
    return undefined
  }
}

/** Ask for a word, or only for a yes. Resolves to the word ("" for a yes), or to null. */
export function confirmed({ title, text, does, value, danger = false }) {
  const field = value === undefined ? null : h('input', { value, required: true, 'aria-label': title, maxlength: 200 })
  const dialog = h('dialog', { class: 'card', 'aria-labelledby': 'confirm-title' },
    h('form', { method: 'dialog' },
      h('h2', { id: 'confirm-title' }, title),
      [text].flat().filter(Boolean).map((one) => h('p', {}, one)),
      field,
      h('div', { class: 'buttons' },
        button('Cancel', () => dialog.close('')),
        h('button', { class: danger ? 'danger' : 'first', value: 'yes' }, does))))
  body.append(dialog)
  dialog.showModal()
  field?.select()
  return new Promise((resolve) => dialog.addEventListener('close', () => {
    dialog.remove()
    resolve(dialog.returnValue === 'yes' ? (field ? field.value.trim() : '') : null)
  }))
}

export const count = (number, word) => `${number.toLocaleString('en')} ${word}${number === 1 ? '' : 's'}`
export const named = (path) => path.slice(path.lastIndexOf('/') + 1) || path

export function ago(seconds) {
  const date = new Date(seconds * 1000)
  const days = Math.floor((Date.now() - date) / 86_400_000)
  if (days < 1 && date.getDate() === new Date().getDate()) {
    return date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
  }
  return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', ...(days > 300 ? { year: 'numeric' } : {}) })
}

export function span(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}

const RANKS = { ask: 1, add: 2, admin: 3 }
/** Whether this visitor may do what needs the scope. */
export const may = (scope) =>
  (RANKS[body.dataset.scope || 'admin'] ?? 0) >= RANKS[scope] && (scope === 'ask' || !body.dataset.readonly)

export const kept = {
  get: (name) => { try { return localStorage.getItem(name) } catch { return null } },
  set: (name, value) => {
    try { value === null ? localStorage.removeItem(name) : localStorage.setItem(name, value) } catch { /* not kept */ }
  },
}

/** Show one pane where there is room for one only. */
export function pane(name) {
  body.dataset.pane = name
  for (const tab of $$('#tabs button')) tab.setAttribute('aria-pressed', String(tab.dataset.pane === name))
}
