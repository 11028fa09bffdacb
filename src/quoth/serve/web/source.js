// The third pane: a document with the quote marked, the place that was right, golden questions.

import { post, query, text, unescaped } from './api.js'
import { $, $$, body, button, h, icon, may, pane, pictured, safely, toast } from './dom.js'

const aside = $('#source')
let from = null
let about = {}
let asked = 0

export const link = (path, start, end) => `/source?${query({ path, start, end })}#quote`
export const isOpen = () => Boolean(aside && !aside.hidden)

/** Open the document at an address of /source. `question` and `entry` say what it was opened for. */
export const open = safely(async (address, { question = '', entry = 0, from: opener = null, path = null, focus = false } = {}) => {
  const narrow = !matchMedia('(min-width: 48rem)').matches
  if (narrow && !history.state?.source) history.pushState({ source: true }, '')  // back leads to the answer
  from = opener
  about = { question, entry, path }
  const mine = ++asked
  aside.hidden = false
  body.classList.add('reading')
  aside.setAttribute('aria-busy', 'true')
  if (!aside.firstChild) aside.replaceChildren(h('p', { class: 'working' }, 'Opening'))
  pane('source')
  try {
    const markup = await text(`${address.replace(/#.*$/, '')}&part=1`)
    if (mine === asked) put(markup)
  } catch (error) {
    if (mine === asked) aside.replaceChildren(closer(), h('p', { class: 'problem' }, error.message))
  } finally {
    if (mine === asked) aside.removeAttribute('aria-busy')
  }
  // where the conversation makes way, or somebody went to the source on purpose, the focus goes along
  if (mine === asked && (focus || narrow)) $('h2', aside)?.focus({ preventScroll: true })
})

/** The document as the server wrote it: every character of a file in it is escaped there. */
function put(markup) {
  const parsed = new DOMParser().parseFromString(markup, 'text/html')
  const article = document.adoptNode($('article', parsed.body))
  about.path ??= unescaped(article.dataset.path)
  about.start = Number(article.dataset.start)
  about.end = Number(article.dataset.end)
  const head = $('header', article)
  head.prepend(closer())
  const title = $('h2', head)
  title.id = 'source-title'
  if (about.end > about.start || may('add')) head.append(tools())
  aside.replaceChildren(article)
  aside.setAttribute('aria-labelledby', 'source-title')
  for (const one of $$('a.swap', article)) {
    one.addEventListener('click', (event) => {
      event.preventDefault()
      open(one.getAttribute('href'), { ...about, from, focus: true })
    })
  }
  scroll()
}

function scroll() {
  const inside = $('.body', aside)
  const at = $('#quote', inside)
  if (!at) return
  const box = at.matches('.sheet') ? $('rect', at) ?? at : at
  const put = () => {
    const gap = box.getBoundingClientRect().top - inside.getBoundingClientRect().top
    inside.scrollTop += gap - inside.clientHeight / 3
  }
  put()
  // pictures above the quote have their size from the start, so it stays where it is; a late layout is caught here
  requestAnimationFrame(put)
}

const closer = () => pictured('cross', 'Close the source', close)

function tools() {
  const right = button('This is the right place', safely(async () => {
    const { path, start, end } = selected()
    const question = about.question || $('.turn:last-of-type .question')?.textContent || ''
    if (!question) return toast('Ask a question first: the place is noted with it', true)
    await post('/api/ratings', { rating: 'place', question, path, start, end, ...(about.entry ? { entry: about.entry } : {}) })
    return toast('Noted in the journal: this is the right place')
  }), { class: 'quiet' })
  right.prepend(icon('pin'))
  const golden = button('Add to golden questions', safely(async () => {
    const { path, start, end } = selected()
    if (!about.question) return toast('Ask a question first: it becomes the golden one', true)
    await post('/api/golden', { question: about.question, path, start, end })
    return toast('Added to the golden questions')
  }), { class: 'quiet' })
  golden.prepend(icon('star'))
  const whole = h('p', { class: 'hint', hidden: true }, 'The words that you selected')
  // a click on a button must not take the selection away
  const row = h('div', { class: 'tools', mousedown: (event) => event.preventDefault() },
    about.question ? right : null, about.question && may('add') ? golden : null, whole)
  return row
}

function range() {
  const chosen = getSelection()
  if (!chosen || chosen.isCollapsed || !chosen.rangeCount) return null
  const one = chosen.getRangeAt(0)
  return $('.body', aside)?.contains(one.commonAncestorContainer) ? one : null
}

/** The characters that somebody selected in the document, or the marked ones. */
export function selected() {
  const one = range()
  const ends = one && [offset(one.startContainer, one.startOffset, 1), offset(one.endContainer, one.endOffset, -1)]
  if (!ends || ends.includes(null) || ends[1] <= ends[0]) return { path: about.path, start: about.start, end: about.end }
  return { path: about.path, start: ends[0], end: ends[1] }
}

/** The offset in the document of a point in the page; between elements, the nearest character in that direction. */
function offset(node, at, step) {
  const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node
  const holder = element.closest('[data-at]')
  if (!holder) {
    const held = $$('[data-at]', aside)
    const point = document.createRange()
    point.setStart(node, at)
    const near = step > 0
      ? held.find((one) => point.comparePoint(one, 0) >= 0)
      : held.findLast((one) => point.comparePoint(one, 0) < 0)
    return near ? Number(near.dataset.at) + (step > 0 ? 0 : [...near.textContent].length) : null
  }
  const before = document.createRange()
  before.setStart(holder, 0)
  before.setEnd(node, at)
  return Number(holder.dataset.at) + [...before.toString()].length
}

export function close() {
  if (history.state?.source) history.back()  // where it was opened over the answer: the step back closes it
  else shut()
}

/** Close it where we are in the history; `refocus` says whether the quote that it was opened from has the focus next. */
export function shut(refocus = true) {
  if (!aside || aside.hidden) return
  if (history.state?.source) history.replaceState({}, '')
  aside.hidden = true
  asked++
  aside.replaceChildren()
  body.classList.remove('reading')
  pane('talk')
  if (refocus && from?.isConnected) from.focus()
}

/** Links to places open here instead of on a page of their own. */
export function intercept() {
  addEventListener('popstate', () => { if (!history.state?.source) shut() })
  document.addEventListener('selectionchange', () => {
    const hint = $('#source .hint')
    if (hint) hint.hidden = !range()
  })
  document.addEventListener('click', (event) => {
    const one = event.target.closest?.('a[href^="/source?"]')
    if (!one || one.target || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || !aside) return
    event.preventDefault()
    open(one.getAttribute('href'), { from: one, focus: true })
  })
}

