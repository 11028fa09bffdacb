// One question and its answer: claims with the numbers of their quotes, quotes, what else was looked at, ratings.

import { post } from './api.js'
import { $, $$, body, button, count, h, icon, may, pictured, safely, toast } from './dom.js'
import { link, open } from './source.js'

/** A place in words; a heading that only says the title again is left out. */
export function where(one) {
  const heading = one.heading === one.title ? '' : (one.heading ?? '').replace(`${one.title} › `, '')
  return [one.cells, one.page && `page ${one.page}`, one.line && `line ${one.line}`, heading].filter(Boolean).join(' · ')
}

const CODE = /\.(py|pyi|[cm]?jsx?|tsx?|java|kt|go|rs|c|h|cc|cpp|hpp|cs|swift|rb|php|lua|r|sql|sh|css|xml|ya?ml|toml|json|ini|ipynb)$/i

/** Lines that were broken only because they were full flow on; those of code, lists and verse stay. */
const flowing = (text) => text.replace(/(?<=[^\n]{50})\n(?=\S)/g, ' ')

const plain = (answer) => !answer.claims.length || (answer.claims.length === answer.quotes.length
  && answer.claims.every((claim, at) => claim.text === answer.quotes[at].text))

/** A turn of the conversation; `show(answer)`, `say(claim, quotes)`, `fail(problem)` fill it. */
export function turn(question) {
  const inside = h('div', { class: 'answer' }, h('p', { class: 'working' }, 'Searching'))
  const heading = h('h2', { class: 'question', tabindex: '-1' }, question)
  const asked = h('p', { class: 'asked', hidden: true })
  const element = h('article', { class: 'turn' }, heading, asked, inside)
  let claims = null

  const show = (answer, writing = false) => {
    if (answer.asked && answer.asked !== question) {
      asked.textContent = `Searched as “${answer.asked}”`
      asked.hidden = false
    }
    element.answer = answer
    claims = null
    inside.replaceChildren(...parts(element, answer, writing))
  }
  const say = (claim, quotes) => {
    if (!claims) {
      claims = h('div', { class: 'claims' })
      inside.prepend(claims)
    }
    const answer = { ...element.answer, quotes: quotes ?? element.answer.quotes }
    element.answer = answer
    claims.append(sentence(element, claim))
    if (quotes) $('.quoted', inside)?.replaceWith(quoted(element, answer))
  }
  const fail = (problem) => inside.replaceChildren(
    h('p', { class: 'problem' }, problem.message, problem.hint ? h('small', {}, problem.hint) : null))
  const step = (progress) => {
    $('.working', inside)?.replaceChildren(`${progress.doing} ${progress.files} of ${progress.of}`)
  }
  return { element, show, say, fail, step }
}

function parts(element, answer, writing) {
  if (!answer.answered) return [...refusal(element, answer), facts(element, answer)]
  return [
    writing ? h('p', { class: 'working' }, 'Writing') : null,
    plain(answer) ? null : h('div', { class: 'claims' }, answer.claims.map((claim) => sentence(element, claim))),
    answer.quotes.length ? quoted(element, answer) : null,
    answer.also.length ? also(element, answer) : null,
    notes(answer),
    facts(element, answer),
  ].filter(Boolean)
}

const notes = (answer) => (answer.notes.length
  ? h('ul', { class: 'notes' }, answer.notes.map((note) => h('li', {}, note))) : null)

function sentence(element, claim) {
  const numbers = claim.quotes.map((number) => h('a', {
    class: 'n open', href: address(element.answer.quotes[number - 1]), 'aria-label': `Quote ${number}`,
    click: (event) => { event.preventDefault(); choose(element, number) },
  }, String(number)))
  const bare = claim.quotes.length ? null : h('span', { class: 'unsupported' },
    claim.general ? 'general knowledge, not from your files' : 'not supported by your files')
  return h('p', { class: 'claim' }, claim.text, ' ', numbers, bare)
}

const address = (one) => (one ? link(one.document, one.start, one.end) : '#')

const quoted = (element, answer) => h('section', { class: 'quoted' },
  h('h3', {}, 'Quoted'),
  h('ol', { class: 'quotes' }, answer.quotes.map((one, at) => quote(element, one, at + 1))))

const also = (element, answer) => h('details', { class: 'also' },
  h('summary', {}, `Also looked at (${answer.also.length})`),
  h('ol', { class: 'quotes' }, answer.also.map((one) => quote(element, one, 0))))

function quote(element, one, number) {
  const show = (event) => { event?.preventDefault(); look(element, one, item, Boolean(event)) }
  const item = h('li', { class: 'quote', dataset: { n: number || '' } },
    h('blockquote', { class: CODE.test(one.document) ? 'mono' : null, click: () => { if (!String(getSelection())) show() } },
      CODE.test(one.document) ? one.text : flowing(one.text)),
    h('div', { class: 'under' },
      h('a', { class: 'open', href: address(one), click: show },
        number ? h('span', { class: 'n' }, String(number)) : null, ' ',
        h('span', { class: 'cite' }, h('bdi', {}, one.title), ' ', h('small', {}, where(one)))),
      number && element.answer.entry ? judged(element, number) : null))
  item.show = show
  return item
}

function judged(element, number) {
  const rate = (rating) => safely(async (event) => {
    await post('/api/ratings', { entry: element.answer.entry, rating, quote: number })
    pressed(event.target)
    toast(rating === 'right' ? `Quote ${number} is right: noted` : `Quote ${number} is wrong: noted`)
  })
  return h('span', { class: 'judge' },
    pictured('check', `Quote ${number} is right`, rate('right'), { 'aria-pressed': 'false' }),
    pictured('cross', `Quote ${number} is wrong`, rate('wrong'), { 'aria-pressed': 'false' }))
}

function pressed(target) {
  const chosen = target.closest('button')
  for (const one of $$('button[aria-pressed]', chosen.parentElement)) one.setAttribute('aria-pressed', String(one === chosen))
}

function refusal(element, answer) {
  const nearest = answer.also.slice(0, 3)
  const searched = `${count(answer.searched.documents, 'document')} (${count(answer.searched.passages, 'passage')})`
  return [
    h('div', { class: 'refusal' },
      // where filters left nothing, the answer names the one that did
      h('p', {}, h('strong', {}, answer.searched.passages ? 'Your files do not seem to hold the answer.' : answer.text)),
      h('dl', {},
        h('div', {}, h('dt', {}, 'Searched'), h('dd', {}, searched)),
        h('div', {}, h('dt', {}, 'Best score'), h('dd', {}, answer.confidence.toFixed(2))),
        h('div', {}, h('dt', {}, 'Needed'), h('dd', {}, answer.threshold.toFixed(2)))),
      scale(answer)),
    nearest.length ? h('section', { class: 'nearest' },
      h('h3', {}, 'The nearest passages'),
      h('ol', { class: 'quotes' }, nearest.map((one) => quote(element, one, 0)))) : null,
    notes(answer),
  ].filter(Boolean)
}

/** How far the best score is from what an answer needs, as a line with a mark. */
function scale(answer) {
  const SVG = 'http://www.w3.org/2000/svg'
  const drawn = document.createElementNS(SVG, 'svg')
  drawn.setAttribute('viewBox', '0 0 200 12')
  drawn.setAttribute('class', 'scale')
  drawn.setAttribute('aria-hidden', 'true')
  const bar = (kind, x, y, width, height) => {
    const one = document.createElementNS(SVG, 'rect')
    for (const [name, value] of Object.entries({ class: kind, x, y, width, height, rx: 1.5 })) one.setAttribute(name, value)
    drawn.append(one)
  }
  bar('whole', 0, 4.5, 200, 3)
  bar('best', 0, 4.5, 200 * Math.min(1, answer.confidence), 3)
  bar('needed', 200 * answer.threshold - 1, 0, 2, 12)
  return drawn
}

function facts(element, answer) {
  const { usage } = answer
  const told = [
    answer.answered ? `${count(answer.searched.documents, 'document')} searched` : null,
    `${answer.seconds.toFixed(2)} s`,
    usage ? usage.model : null,
    usage ? `${(usage.input_tokens + usage.output_tokens).toLocaleString('en')} tokens` : null,
    usage && usage.cost !== null && usage.cost !== undefined ? `$${usage.cost.toFixed(4)}` : null,
  ].filter(Boolean).join(' · ')
  return h('footer', { class: 'facts' }, h('span', {}, told), answer.entry ? thumbs(element) : null)
}

function thumbs(element) {
  const { answer } = element
  const rate = (rating) => safely(async (event) => {
    await post('/api/ratings', { entry: answer.entry, rating })
    pressed(event.target)
    toast('Thank you: noted in the journal')
  })
  const golden = safely(async () => {
    const first = answer.quotes[0]
    await post('/api/golden', first
      ? { question: answer.question, path: first.document, start: first.start, end: first.end }
      : { question: answer.question, none: true })
    toast('Added to the golden questions')
  })
  return h('span', { class: 'judge' },
    pictured('up', 'A good answer', rate('right'), { 'aria-pressed': 'false' }),
    pictured('down', 'A bad answer', rate('wrong'), { 'aria-pressed': 'false' }),
    may('add') ? h('button', { type: 'button', class: 'quiet', click: golden }, icon('star'), 'Add to golden questions') : null)
}

/** Open a quote of a turn by its number. */
export function choose(element, number) {
  $(`.quote[data-n="${number}"]`, element)?.show()
}

function look(element, one, item, focus) {
  for (const other of $$('.quote.chosen')) other.classList.remove('chosen')
  item.classList.add('chosen')
  open(address(one), { question: element.answer.question, entry: element.answer.entry, from: $('a.open', item), path: one.document, focus })
}

/** The next quote, or the one before: `step` is 1 or -1. */
export function walk(step) {
  const all = $$('.quote').filter((one) => one.checkVisibility({ contentVisibilityAuto: true }))
  if (!all.length) return
  const at = all.findIndex((one) => one.classList.contains('chosen'))
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))]
  $('a.open', next).focus()
  next.scrollIntoView({ block: 'nearest' })
  if (matchMedia('(min-width: 48rem)').matches) next.show()
  else {
    for (const other of $$('.quote.chosen')) other.classList.remove('chosen')
    next.classList.add('chosen')
  }
}

export const last = () => $$('.turn', body).at(-1)
