// The conversation: a question goes out, events come back, the turn shows them.

import { events, get } from './api.js'
import { choose, last, turn } from './answer.js'
import { $, $$, body, count, explain, h, may, pane, tell } from './dom.js'
import { addButton } from './library.js'
import { shut } from './source.js'
import * as threads from './threads.js'

const form = $('#ask')
const field = $('#q')
const turns = $('#turns')
let running = null
let welcome = null

export function begin() {
  welcome = $('.welcome', turns) ?? h('section', { class: 'welcome' }, h('h1', {}, 'Ask your files'),
    h('p', {}, 'Every answer is a quote, word for word, with the place it comes from.'))
  form.addEventListener('submit', (event) => { event.preventDefault(); running ? stop() : send(field.value) })
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit() }
  })
  const start = $('#start')
  if (start && may('admin')) start.append(addButton('Add files'))
  settle()
  examples()
  answered()
  threads.begin(show)
}

/** An answer that came with the page is shown as all others are. */
function answered() {
  const data = $('#answer')
  if (!data) return
  const answer = JSON.parse(data.textContent)
  const one = turn(answer.question)
  one.show(answer)
  turns.replaceChildren(one.element)
  field.value = ''
  settle()
}

async function examples() {
  const place = $('#examples')
  if (!place || !Number(body.dataset.documents)) return
  const { examples: some } = await get('/examples').catch(() => ({ examples: [] }))
  if (!some.length) return
  place.replaceChildren(h('h2', {}, 'Your files answer, for example'), h('ul', {}, some.map((one) =>
    h('li', {}, h('a', { href: `/?q=${encodeURIComponent(one)}`, click: (event) => { event.preventDefault(); send(one) } }, one)))))
}

/** A thread that was opened, or null for a new one. */
function show(thread) {
  stop()
  shut(false)
  if (!thread) turns.replaceChildren(welcome)
  else {
    turns.replaceChildren(...thread.messages.map((message) => {
      const one = turn(message.question)
      one.show(message.answer)
      return one.element
    }))
  }
  settle()
  pane('talk')
  last()?.scrollIntoView({ block: 'start' })
  if (!thread) field.focus({ preventScroll: true })
}

function settle() {
  body.classList.toggle('empty', !$('.turn', turns))
}

function stop() {
  running?.abort()
}

function narrowed() {
  const value = (name) => form.elements[name].value.trim()
  const filters = {}
  if (value('folder')) filters.folders = [value('folder')]
  if (value('type')) filters.kinds = [value('type')]
  if (value('after')) filters.after = value('after')
  if (value('before')) filters.before = value('before')
  return filters
}

async function send(question) {
  if (!question.trim() || running) return
  running = new AbortController()
  const mine = running
  const one = turn(question.trim())
  shut(false)  // its buttons are about the question before
  if ($('.welcome', turns)) turns.replaceChildren()
  for (const problem of $$('.problem', turns)) if (problem.parentElement === turns) problem.remove()
  turns.append(one.element)
  settle()
  busy(true)
  field.value = ''
  one.element.scrollIntoView({ block: 'start', behavior: calm() })
  tell('Searching')
  try {
    const number = await threads.wanted()
    await listen(one, { question, filters: narrowed(), thread: number }, mine)
    threads.list()
  } catch (error) {
    if (error.name === 'AbortError') one.fail({ message: 'Stopped.' })
    else {
      one.fail(error)
      tell(explain(error))
      if (!field.value) field.value = question
    }
  } finally {
    running = null
    busy(false)
  }
}

async function listen(one, record, mine) {
  let final = null
  for await (const [name, told] of events('/api/ask', record, mine.signal)) {
    if (name === 'quoted') {
      one.show(told, Boolean(body.dataset.model))
      one.element.scrollIntoView({ block: 'start', behavior: calm() })  // there was less to scroll before
    }
    else if (name === 'said') one.say(told, told.all_quotes)
    else if (name === 'progress') one.step(told)
    else if (name === 'done') one.show(final = told)
  }
  if (!final) throw new Error('the answer broke off')
  tell(final.answered ? `Answered with ${count(final.quotes.length, 'quote')}` : 'Your files do not seem to hold the answer')
}

function busy(on) {
  const sender = $('button.first', form)
  sender.textContent = on ? 'Stop' : 'Ask'
  turns.setAttribute('aria-busy', String(on))
}

export const calm = () => (matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth')

/** Open the n-th quote of the last answer. */
export const openQuote = (number) => { if (last()) choose(last(), number) }
