// What is in the library: sources in the first pane, adding, uploads, jobs; and the page with every file.

import { get, post, query, remove, upload } from './api.js'
import {
  $, ago, body, button, confirmed, count, h, may, named, pictured, safely, span, tell, toast,
} from './dom.js'
import { link } from './source.js'

const BEAT = 700
const PAGE = 50
const files = { q: '', state: '', start: 0 }
let watching = false
let finished = new Set()

export async function begin() {
  await sources()
  follow()
  dropping()
  if (body.dataset.page === 'library') whole()
}

// -- the first pane ---------------------------------------------------------------------------------

const sources = safely(async () => {
  const { sources: some } = await get('/api/sources')
  const folders = $('#folders')
  folders?.replaceChildren(...some.map((one) => h('option', { value: one.path })))
  $('#sources').replaceChildren(h('section', { 'aria-labelledby': 'sources-title' },
    h('div', { class: 'title' }, h('h2', { id: 'sources-title' }, 'Sources'),
      may('add') ? pictured('plus', 'Add files', dialog) : null),
    some.length
      ? h('ul', { class: 'list' }, some.map((one) => h('li', {},
        h('a', { href: `/library?${query({ in: one.path })}`, title: one.path }, h('span', {}, named(one.path)),
          h('small', {}, held(one).toLocaleString('en'))))))
      : h('p', { class: 'quiet' }, 'Nothing was added yet.'),
    h('div', { id: 'job' })))
  return some
})

const held = (source) => source.files.read ?? 0

export const addButton = (words) => h('button', { type: 'button', class: 'first', click: dialog }, words)

// -- adding -----------------------------------------------------------------------------------------

function dialog() {
  const path = h('input', { id: 'add-path', name: 'path', placeholder: '/home/you/notes', autocomplete: 'off', spellcheck: 'false' })
  const picked = h('input', { id: 'add-files', type: 'file', multiple: true, change: () => { box.close(); send([...picked.files]) } })
  const box = h('dialog', { class: 'card adding', 'aria-labelledby': 'add-title' },
    h('form', { method: 'dialog', submit: safely(async (event) => {
      event.preventDefault()
      if (!path.value.trim()) return
      await post('/api/sources', { path: path.value.trim() })
      box.close()
      toast(`${named(path.value.trim())} is being added`)
      follow()
    }) },
    h('h2', { id: 'add-title' }, 'Add files'),
    may('admin') ? [
      h('label', { for: 'add-path' }, 'A folder or file on the computer that runs Quoth'),
      h('div', { class: 'box' }, path, h('button', { class: 'first' }, 'Add')),
      h('p', { class: 'quiet' }, 'It stays where it is. What changes there is noticed.'),
    ] : null,
    h('label', { for: 'add-files' }, may('admin') ? 'Or files from here' : 'Files from here'),
    h('div', { class: 'drop' }, picked, h('p', { class: 'quiet' }, 'Or drop them anywhere on this page. They are copied into the library.')),
    h('div', { class: 'buttons' }, button('Cancel', () => box.close()))))
  box.addEventListener('close', () => box.remove())
  body.append(box)
  box.showModal()
  ;(may('admin') ? path : picked).focus()
}

const send = safely(async (some) => {
  if (!some.length) return
  const form = new FormData()
  for (const one of some) form.append('files', one, one.name)
  const bar = h('progress', { max: 1, value: 0, 'aria-label': 'Sending files' })
  $('#job').replaceChildren(h('p', {}, `Sending ${count(some.length, 'file')}`), bar)
  try {
    const told = await upload('/api/upload', form, (share) => { bar.value = share })
    const refused = told.refused ?? []
    if (refused.length) toast(refused.map((one) => `${one.name}: ${one.reason}`).join(' · '), true)
    else toast(`${count(some.length, 'file')} sent; now they are read`)
  } finally {
    $('#job').replaceChildren()
  }
  follow()
})

function dropping() {
  if (!may('add')) return
  const carries = (event) => event.dataTransfer?.types.includes('Files')
  document.addEventListener('dragover', (event) => {
    if (!carries(event)) return
    event.preventDefault()
    body.classList.add('dropping')
  })
  document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) body.classList.remove('dropping') })
  document.addEventListener('drop', (event) => {
    if (!carries(event)) return
    event.preventDefault()
    body.classList.remove('dropping')
    $('dialog[open]')?.close()
    send([...event.dataTransfer.files])
  })
}

// -- jobs -------------------------------------------------------------------------------------------

/** Look at the jobs until none is running. */
export const follow = safely(async () => {
  if (watching) return
  watching = true
  let seen = false
  try {
    for (let quiet = 0; quiet < 4;) {
      const { jobs, queued = [] } = await get('/api/jobs')
      const running = jobs.filter((one) => one.state === 'running')
      const waiting = queued.filter((one) => one.state === 'waiting' || one.state === 'running')
      draw(running, waiting)
      const ended = jobs.filter((one) => one.state !== 'running' && !finished.has(one.id))
      if (seen && ended.length) await over(ended)
      for (const one of ended) finished.add(one.id)
      quiet = running.length || waiting.length ? 0 : quiet + 1
      seen = true
      if ($('#jobs')) drawJobs(jobs)
      await new Promise((resolve) => setTimeout(resolve, BEAT))
    }
  } finally {
    watching = false
    $('#job')?.replaceChildren()
  }
})

async function over(ended) {
  const one = ended[0]
  const { failed } = await get(`/api/jobs/${one.id}`).catch(() => ({ failed: [] }))
  const added = (one.counts?.added ?? 0) + (one.counts?.updated ?? 0)
  if (one.state === 'done') tell(`${count(added, 'file')} added`)
  else toast(`${titled(one)}: ${one.reason || one.state}`, one.state === 'failed')
  if (failed.length) toast(`${count(failed.length, 'file')} could not be read: the library says why`, true)
  await sources()
  const status = await get('/api/status').catch(() => null)
  if (status) {
    $('.said').textContent = `${count(status.documents, 'document')}, ${count(status.passages, 'passage')}`
    const first = !Number(body.dataset.documents) && status.documents
    body.dataset.documents = status.documents
    if (first && body.dataset.page === 'ask' && !$('.turn')) location.reload()
  }
  if ($('#files')) { sourcesTable(); listFiles() }
}

const titled = (job) => `${job.command} ${job.places.map(named).join(', ')}`.trim()

function progress(job) {
  const bar = h('progress', { 'aria-label': titled(job), max: job.of_files || 1 })
  if (job.of_files) bar.value = job.files
  else bar.removeAttribute('value')
  const told = [
    job.of_files ? `${job.files.toLocaleString('en')} of ${count(job.of_files, 'file')}` : job.doing || 'looking for files',
    count(job.passages, 'passage'),
    job.left ? `about ${span(job.left)} left` : null,
  ].filter(Boolean).join(' · ')
  return h('div', { class: 'job' }, h('p', {}, h('strong', {}, titled(job))), bar, h('p', { class: 'quiet' }, told),
    may('add') ? button('Cancel', cancelled(job), { class: 'quiet', 'aria-label': `Cancel ${titled(job)}` }) : null)
}

const cancelled = (job) => safely(async () => {
  await post(`/api/jobs/${job.id}/cancel`)
  toast('It stops within seconds; what was read is kept')
})

function draw(running, waiting) {
  const place = $('#job')
  if (!place) return
  const held = place.contains(document.activeElement)
  const more = waiting.filter((one) => one.state === 'waiting')
  place.replaceChildren(...running.map(progress),
    ...(running.length ? [] : waiting.slice(0, 1).map((one) => h('p', { class: 'quiet' }, one.said ? `${titled(one)} waits: ${one.said}` : `${titled(one)}: starting`))),
    ...(running.length && more.length ? [h('p', { class: 'quiet' }, `${count(more.length, 'more')} waiting`)] : []))
  if (held) $('button', place)?.focus()
}

// -- the page of the library ------------------------------------------------------------------------

function whole() {
  const folder = new URLSearchParams(location.search).get('in')
  if (folder) files.q = folder
  const search = h('input', { type: 'search', value: files.q, placeholder: 'Name of a file', 'aria-label': 'Name of a file',
    input: later(() => { files.q = search.value.trim(); files.start = 0; listFiles() }) })
  const state = h('select', { 'aria-label': 'State', change: () => { files.state = state.value; files.start = 0; listFiles() } },
    [['', 'all'], ['read', 'read'], ['failed', 'failed'], ['skipped', 'left out']].map(([value, words]) => h('option', { value }, words)))
  $('#library').replaceChildren(
    h('section', { 'aria-labelledby': 'table-title' }, h('div', { class: 'title' }, h('h2', { id: 'table-title' }, 'Sources'),
      may('add') ? h('span', { class: 'buttons' },
        button('Look for changes', safely(async () => { await post('/api/sync'); toast('The sources are being looked through'); follow() })),
        addButton('Add files')) : null),
    h('div', { id: 'table' })),
    h('section', { 'aria-labelledby': 'files-title' }, h('div', { class: 'title' }, h('h2', { id: 'files-title' }, 'Files'),
      h('span', { class: 'row' }, search, state)), h('div', { id: 'files' })),
    h('section', { 'aria-labelledby': 'jobs-title' }, h('h2', { id: 'jobs-title' }, 'Jobs'), h('div', { id: 'jobs' })))
  sourcesTable()
  listFiles()
  get('/api/jobs').then(({ jobs }) => drawJobs(jobs))
}

const sourcesTable = safely(async () => {
  const some = await sources() ?? []
  $('#table').replaceChildren(some.length
    ? h('ul', { class: 'rows' }, some.map((one) => h('li', {},
      h('div', {}, h('strong', {}, h('bdi', {}, named(one.path))), h('small', {}, h('bdi', {}, one.path))),
      h('span', { class: 'quiet' }, [count(held(one), 'file'), one.files.failed ? `${one.files.failed} failed` : null,
        one.there ? null : 'not there now'].filter(Boolean).join(' · ')),
      may('admin') ? h('span', { class: 'buttons' },
        button('Remove', leave('/api/sources', one.path, false), { 'aria-label': `Remove ${named(one.path)}` }),
        button('Forget', leave('/api/sources', one.path, true), { class: 'grave', 'aria-label': `Forget ${named(one.path)}` })) : null)))
    : h('p', { class: 'quiet' }, 'Add a folder or some files, and their words can be asked for.'))
})

const leave = (where, path, forget) => safely(async () => {
  const uploads = (await sources() ?? []).find((one) => one.uploads)?.path
  const erased = 'Every trace of it is erased from the library: text, vectors, what the journal and threads quote of it. This cannot be undone.'
  const text = uploads && path.startsWith(`${uploads}/`)
    ? [forget ? erased : 'It can no longer be found or quoted.', 'It was uploaded, so its copy here is deleted too; the file that you uploaded it from stays where it is.']
    : forget ? [erased, 'The file itself stays where it is. A later sync leaves it out.']
    : 'It can no longer be found or quoted. The file itself stays where it is; a sync brings it back if its folder is still a source.'
  const title = `${forget ? 'Forget' : 'Remove'} ${named(path)}?`
  if (await confirmed({ title, text, does: forget ? 'Forget' : 'Remove', danger: true }) === null) return
  const { notes = [], queued } = await remove(`${where}?${query({ path, forget })}`)
  toast([queued ? `${named(path)} goes when its turn comes` : `${named(path)} was ${forget ? 'forgotten' : 'removed'}`, ...notes].join(' · '))
  await sourcesTable()
  await listFiles()
  follow()
})

const listFiles = safely(async () => {
  const { total, documents } = await get(`/api/documents?${query({ ...files, count: PAGE })}`)
  const more = (step, words) => button(words, () => { files.start += step * PAGE; listFiles() },
    { disabled: step < 0 ? files.start === 0 : files.start + PAGE >= total })
  $('#files').replaceChildren(
    documents.length
      ? h('ul', { class: 'rows' }, documents.map(file))
      : h('p', { class: 'quiet' }, files.q || files.state ? 'No file fits.' : 'No files yet.'),
    ...(total > PAGE ? [h('div', { class: 'buttons' }, more(-1, 'Earlier'), more(1, 'Later'),
      h('span', { class: 'quiet' }, `${files.start + 1}–${Math.min(total, files.start + PAGE)} of ${total.toLocaleString('en')}`))] : []))
})

function file(one) {
  const name = named(one.path)
  const states = { read: one.kind, failed: 'failed', skipped: 'left out' }
  const again = safely(async () => {
    await post(`/api/documents/retry?${query({ path: one.path })}`)
    toast(`${name} is being read again`)
    follow()
  })
  return h('li', { class: one.state },
    h('div', {},
      one.state === 'read' ? h('a', { href: link(one.path, 0, 0) }, h('bdi', {}, name)) : h('strong', {}, h('bdi', {}, name)),
      h('small', {}, h('bdi', {}, one.path)),
      one.reason ? h('p', { class: 'reason' }, one.reason, one.hint ? h('small', {}, one.hint) : null) : null),
    h('span', { class: 'state' }, states[one.state] ?? one.state),
    may('add') ? h('span', { class: 'buttons' },
      one.state === 'failed' ? button('Try again', again, { 'aria-label': `Try ${name} again` }) : null,
      one.state === 'read' && !one.path.includes('#') ? button('Remove', leave('/api/documents', one.path, false), { 'aria-label': `Remove ${name}` }) : null,
      may('admin') && one.state === 'read' && !one.path.includes('#') ? button('Forget', leave('/api/documents', one.path, true),
        { class: 'grave', 'aria-label': `Forget ${name}` }) : null) : null)
}

function drawJobs(jobs) {
  $('#jobs').replaceChildren(jobs.length
    ? h('ul', { class: 'rows' }, jobs.slice(0, 12).map((one) => h('li', {},
      one.state === 'running' ? progress(one) : h('div', {}, h('strong', {}, titled(one)), h('small', {}, [
        one.of_files ? count(one.files, 'file') : null, count(one.passages, 'passage'), one.reason,
      ].filter(Boolean).join(' · '))),
      h('span', { class: 'quiet' }, `${one.state} · ${ago(one.started)}`),
      may('add') && ['cut off', 'stopped', 'failed'].includes(one.state) ? button('Resume', safely(async () => {
        await post(`/api/jobs/${one.id}/resume`)
        follow()
      }), { 'aria-label': `Resume ${titled(one)}` }) : null)))
    : h('p', { class: 'quiet' }, 'What is added and read is listed here.'))
}

function later(does) {
  let waiting
  return () => { clearTimeout(waiting); waiting = setTimeout(does, 200) }
}

