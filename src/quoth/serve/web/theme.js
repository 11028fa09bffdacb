// Before the first paint: the theme that was chosen, if one was, and that scripts run.
(() => {
  const root = document.documentElement
  root.classList.add('scripted')
  try {
    const theme = localStorage.getItem('theme')
    if (theme) root.dataset.theme = theme
  } catch { /* a browser that keeps nothing follows the system */ }
})()
