// Is it better: golden questions, runs, the comparison of two.

import { get, post, query, remove } from './api.js'
import { $, button, confirmed, count, h, may, named, safely, toast } from './dom.js'
import { follow } from './library.js'
import { link } from './source.js'

const SHOWN = 5
let chosen = { first: '', second: '' }

export async function begin() {
  $('#evaluate').replaceChildren(
    h('section', { 'aria-labelledby': 'golden-title' }, h('h2', { id: 'golden-title' }, 'Golden questions'), h('div', { id: 'golden' })),
    h('section', { 'aria-labelledby': 'runs-title' }, h('div', { class: 'title' }, h('h2', { id: 'runs-title' }, 'Runs'), h('span', { id: 'start' })), h('div', { id: 'runs' })),
    h('section', { 'aria-labelledby': 'compare-title' }, h('h2', { id: 'compare-title' }, 'Comparison'), h('div', { id: 'compare' })))
  await golden()
  await runs()
}

const golden = safely(async () => {
  const { questions } = await get('/api/golden')
  const sets = Map.groupBy ? Map.groupBy(questions, (one) => one.set) : new Map([['', questions]])
  const { recipes } = await get('/api/recipes')
  $('#start').replaceChildren(...(may('add') && questions.length ? [starter([...sets.keys()], recipes)] : []))
  $('#golden').replaceChildren(...(questions.length
    ? [...sets].map(([name, some]) => h('details', { class: 'set', open: sets.size === 1 },
      h('summary', {}, `${name || 'golden'} (${count(some.length, 'question')})`),
      h('ul', { class: 'rows' }, some.slice(0, 200).map(question))))
    : [h('p', { class: 'quiet' }, 'A golden question is one whose right place you know. Ask something, open the quote that answers, and choose “Add to golden questions”.')]))
})

function question(one) {
  const place = one.spans[0]
  return h('li', {},
    h('div', {}, h('strong', {}, one.question),
      h('small', {}, place ? h('a', { href: link(place.path, place.start ?? 0, place.end ?? 0) }, h('bdi', {}, named(place.path))) : 'must not be answered',
        one.stale ? ' · the words that answered it are gone' : null)),
    may('add') ? button('Delete', safely(async () => {
      if (await confirmed({ title: 'Delete this golden question?', text: one.question, does: 'Delete', danger: true }) === null) return
      await remove(`/api/golden/${encodeURIComponent(one.key)}`)
      await golden()
    }), { class: 'quiet', 'aria-label': `Delete ${one.question}` }) : null)
}

function starter(sets, recipes) {
  const select = (label, some, used) => (some.length > 1
    ? h('select', { 'aria-label': label }, some.map((one) => h('option', { value: one, selected: one === used }, one))) : null)
  const set = select('Set', sets, sets[0])
  const called = (one) => one.name || one.hash
  const recipe = select('Recipe', recipes.map(called), called(recipes.find((one) => one.used)))
  const name = h('input', { 'aria-label': 'Name of the run', placeholder: 'a name, if you like', maxlength: 64, pattern: '\\w[\\w.+\\-]*' })
  return h('span', { class: 'buttons' }, set, recipe, name, h('button', { type: 'button', class: 'first', click: safely(async () => {
    if (!name.reportValidity()) return
    await post('/api/evaluate', { ...(set && { set: set.value }), ...(recipe && { recipe: recipe.value }), name: name.value })
    name.value = ''
    toast('The questions are being asked')
    follow()
    await wait()
  }) }, 'Start an evaluation'))
}

/** Until a run is there that was not there before. */
async function wait() {
  const before = (await get('/api/runs')).runs.length
  for (let beat = 0; beat < 600; beat++) {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const { queued = [], over = [] } = await get('/api/jobs')
    if ((await get('/api/runs')).runs.length > before) return runs()
    const failed = over.find((one) => one.command === 'evaluate' && one.state === 'failed')
    if (failed && !queued.some((one) => one.command === 'evaluate')) return toast(failed.said, true)
  }
  return undefined
}

const runs = safely(async () => {
  const some = (await get('/api/runs')).runs.reverse()
  if (!some.length) {
    $('#runs').replaceChildren(h('p', { class: 'quiet' }, 'An evaluation asks every golden question and keeps what came out.'))
    $('#compare').replaceChildren(h('p', { class: 'quiet' }, 'With two runs, here is which one is better, and how sure that is.'))
    return
  }
  const names = [...new Set(some.flatMap((one) => Object.keys(one.measures)))].slice(0, SHOWN)
  $('#runs').replaceChildren(table('Runs', ['Run', 'Set', 'Questions', ...names], some.map((one) => [
    one.name, one.set, String(one.questions), ...names.map((name) => mean(one.measures[name]))])))
  compare(some.map((one) => one.name))
})

/** A table that may be wider than its place: its heads, and rows whose first cell names them. */
const table = (label, heads, rows) => h('div', { class: 'wide', tabindex: '0', role: 'region', 'aria-label': label }, h('table', {},
  h('thead', {}, h('tr', {}, heads.map((one) => h('th', { scope: 'col' }, one)))),
  h('tbody', {}, rows.map(([name, ...cells]) => h('tr', {}, h('th', { scope: 'row' }, name), cells.map((one) => h('td', {}, one)))))))

const mean = (one) => (one ? [one.mean.toFixed(3), h('small', {}, ` ${one.low.toFixed(2)}–${one.high.toFixed(2)}`)] : '')

const signed = (value) => { const told = Math.abs(value).toFixed(3); return Number(told) ? `${value < 0 ? '−' : '+'}${told}` : told }

/** Every measure in both runs, what lies between them with its interval, and p adjusted for all of them. */
const differences = (told) => table('Differences', ['Measure', 'Questions', 'Before', 'After', 'Difference', 'p'],
  told.differences.map((one) => [
    one.measure, String(one.questions), one.first.toFixed(3), one.second.toFixed(3),
    [signed(one.difference), h('small', {}, ` ${signed(one.interval.low)} … ${signed(one.interval.high)}`)],
    one.adjusted.toFixed(3),
  ]))

function compare(names) {
  chosen = { first: names[1] ?? names[0], second: names[0] }
  if (names.length < 2) {
    $('#compare').replaceChildren(h('p', { class: 'quiet' }, 'With a second run, here is which one is better, and how sure that is.'))
    return
  }
  const pick = (which, label) => h('label', {}, `${label} `, h('select', { change: (event) => { chosen[which] = event.target.value; draw() } },
    names.map((one) => h('option', { value: one, selected: one === chosen[which] }, one))))
  const place = h('div', {})
  const draw = safely(async () => {
    if (chosen.first === chosen.second) return place.replaceChildren(h('p', { class: 'quiet' }, 'Choose two different runs.'))
    const told = await get(`/api/compare?${query(chosen)}`)
    return place.replaceChildren(h('p', { class: 'verdict' }, told.words), differences(told), told.report
      ? h('iframe', { src: `/api/report?${query(chosen)}`, title: 'Report of the comparison', sandbox: '', class: 'report' })
      : h('p', { class: 'quiet' }, 'Charts and the questions that changed come with the extra “report”: pip install "quoth[report]"'))
  })
  $('#compare').replaceChildren(h('div', { class: 'row' }, pick('first', 'Before'), pick('second', 'After')), place)
  draw()
}

