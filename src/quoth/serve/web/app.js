// The page comes alive: panes, keys, theme, who is here; then whatever this page is for.

import { get, post } from './api.js'
import { walk } from './answer.js'
import { $, $$, body, button, h, icon, kept, pane, pictured, safely } from './dom.js'
import * as library from './library.js'
import * as source from './source.js'
import * as threads from './threads.js'

const KEYS = [
  ['/', 'write a question'], ['j  k', 'the next quote, the one before'], ['1 … 9', 'open the quote of this number'],
  ['Esc', 'close the source'], ['?', 'these keys'],
]
const page = body.dataset.page

panes()
switches()
person()
source.intercept()
document.addEventListener('keydown', pressed)
document.addEventListener('click', (event) => {
  for (const menu of $$('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false
})
library.begin()
if (page === 'ask') (await import('./ask.js')).begin()
else threads.list()
if (page === 'evaluate') (await import('./evaluate.js')).begin()

function panes() {
  const tab = (name, words) => button(words, () => pane(name), { dataset: { pane: name }, 'aria-pressed': 'false' })
  $('#tabs').replaceChildren(h('nav', { class: 'tabs', 'aria-label': 'Panes' },
    tab('side', 'Menu'), tab('talk', page === 'ask' ? 'Ask' : 'Page'), tab('source', 'Source')))
  pane('talk')
  if (!$('#source').firstChild) $('#source').append(h('p', { class: 'nothing' }, 'Open a quote, and its source shows here.'))
}

function switches() {
  const dark = () => (document.documentElement.dataset.theme
    ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark'
  const theme = pictured('moon', 'Dark', () => {
    const next = dark() ? 'light' : 'dark'
    document.documentElement.dataset.theme = next
    kept.set('theme', next)
    name()
  })
  const name = () => {
    theme.replaceChildren(icon(dark() ? 'sun' : 'moon'))
    const label = dark() ? 'Light colours' : 'Dark colours'
    theme.setAttribute('aria-label', label)
    theme.title = label
  }
  name()
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', name)
  $('#switches').append(theme, pictured('key', 'Keys', keys))
}

function person() {
  const { name } = body.dataset
  if (!name) return
  $('#person').append(h('span', {}, name), pictured('out', 'Sign out', safely(async () => {
    await post('/api/logout')
    location.assign('/login')
  })))
}

function keys() {
  if ($('#keys')) return
  const on = h('input', { type: 'checkbox', change: () => kept.set('keys', on.checked ? null : 'off') })
  on.checked = kept.get('keys') !== 'off'
  const dialog = h('dialog', { id: 'keys', class: 'card', 'aria-labelledby': 'keys-title' },
    h('form', { method: 'dialog' }, h('h2', { id: 'keys-title' }, 'Keys'),
      h('dl', { class: 'keys' }, KEYS.map(([key, does]) => h('div', {},
        h('dt', {}, key.split('  ').map((one) => h('kbd', {}, one))), h('dd', {}, does)))),
      h('label', { class: 'check' }, on, ' Keys of one letter are on'),
      h('div', { class: 'buttons' }, h('button', { class: 'first' }, 'Close'))))
  dialog.addEventListener('close', () => dialog.remove())
  body.append(dialog)
  dialog.showModal()
}

async function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || $('dialog[open]')) return
  const writing = event.target.closest?.('input, textarea, select')
  if (event.key === 'Escape') {
    if (writing) event.target.blur()
    else source.close()
    return
  }
  if (writing || kept.get('keys') === 'off') return
  const does = {
    '/': () => { pane('talk'); $('#q')?.focus() }, '?': keys, j: () => walk(1), k: () => walk(-1),
  }[event.key]
  if (does) { event.preventDefault(); does() }
  else if (/^[1-9]$/.test(event.key) && page === 'ask') (await import('./ask.js')).openQuote(Number(event.key))
}
