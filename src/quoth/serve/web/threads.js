// Threads: the list, names, exports; the one that is open.

import { get, patch, post, remove } from './api.js'
import { $, ago, body, button, confirmed, h, pictured, safely, toast } from './dom.js'

const FIRST = 12
let current = null
let all = false
let opened = () => {}

export const thread = () => current

/** `show(thread)` is called with a thread that was opened, or with null for a new one. */
export async function begin(show) {
  opened = show
  await list()
  addEventListener('popstate', () => follow())
  await follow()
}

const follow = safely(async () => {
  const number = Number(new URLSearchParams(location.search).get('thread')) || null
  if (number && number === current?.id) return
  if (number) await choose(number, false)
  else if (current) fresh(false)
})

/** The thread to ask in, made when there is none. */
export async function wanted() {
  if (current || body.dataset.readonly) return current?.id ?? null
  const made = await post('/api/threads', {})
  current = made
  history.pushState({}, '', `/?thread=${made.id}`)
  await list()
  return made.id
}

export function fresh(push = true) {
  current = null
  if (push) history.pushState({}, '', '/')
  opened(null)
  mark()
}

async function choose(number, push = true) {
  current = await get(`/api/threads/${number}`)
  if (push) history.pushState({}, '', `/?thread=${number}`)
  opened(current)
  mark()
}

export const list = safely(async () => {
  const { threads } = await get('/api/threads')
  const started = body.dataset.page === 'ask'
  const shown = all ? threads : threads.filter((one, at) => at < FIRST || one.id === current?.id)
  $('#threads').replaceChildren(h('section', { 'aria-labelledby': 'threads-title' },
    h('div', { class: 'title' }, h('h2', { id: 'threads-title' }, 'Threads'),
      started
        ? pictured('plus', 'New thread', () => { fresh(); $('#q').focus() })
        : null),
    threads.length
      ? h('ul', { class: 'list' }, shown.map(item))
      : h('p', { class: 'quiet' }, 'Questions that you ask are kept here.'),
    shown.length < threads.length
      ? button(`All ${threads.length} threads`, () => { all = true; list() }, { class: 'quiet' }) : null))
  mark()
})

function item(one) {
  const go = (event) => {
    if (body.dataset.page !== 'ask') return
    event.preventDefault()
    safely(choose)(one.id)
  }
  return h('li', { dataset: { thread: one.id } },
    h('a', { href: `/?thread=${one.id}`, click: go }, h('span', {}, one.title || 'A new thread'), h('small', {}, ago(one.changed))),
    menu(one))
}

function menu(one) {
  const shut = (does) => () => { details.open = false; does() }
  const rename = safely(async () => {
    const name = await confirmed({ title: 'Rename this thread', value: one.title, does: 'Rename' })
    if (!name) return
    await patch(`/api/threads/${one.id}`, { title: name })
    await list()
  })
  const drop = safely(async () => {
    const text = 'Its questions and answers go; your files and the library stay as they are.'
    if (await confirmed({ title: `Delete “${one.title}”?`, text, does: 'Delete', danger: true }) === null) return
    await remove(`/api/threads/${one.id}`)
    if (current?.id === one.id) fresh()
    await list()
    toast('The thread was deleted')
  })
  const exported = (format) => () => { location.href = `/api/threads/${one.id}/export?format=${format}` }
  const details = h('details', { class: 'menu' },
    h('summary', { 'aria-label': `More for ${one.title}`, title: 'More' }, h('span', { class: 'dots', 'aria-hidden': 'true' }, '⋯')),
    h('div', { class: 'sheetlet' },
      button('Rename', shut(rename)),
      button('Export as Markdown', shut(exported('markdown'))),
      button('Export as JSON', shut(exported('json'))),
      button('Delete', shut(drop), { class: 'grave' })))
  return details
}

function mark() {
  for (const one of document.querySelectorAll('#threads li')) {
    const on = current && Number(one.dataset.thread) === current.id
    const link = $('a', one)
    if (on) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
}
