'use strict';

// A page of a source follows the theme that the reader has chosen in the book.
(function theme() {
    let chosen = null;
    try {
        chosen = localStorage.getItem('mdbook-theme');
    } catch { /* not allowed to remember: the system's theme, then */ }
    const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'navy' : 'light';
    const theme = ['light', 'navy'].includes(chosen) ? chosen : system;
    document.documentElement.className = 'js ' + theme;
    // Without scripts the system decides.
    document.querySelectorAll('.on-light, .on-dark').forEach(sheet => {
        sheet.media = sheet.className === (theme === 'light' ? 'on-light' : 'on-dark') ? 'all' : 'not all';
    });
})();

function highlight() {
    document.querySelectorAll('.text code').forEach(code => hljs.highlightBlock(code));
}
