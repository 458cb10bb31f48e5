'use strict';

// Chromium lets all pages on disk remember together: the theme may be another book's, which this one
// does not have. mdBook adds one of ours then, and leaves the other's name.
document.documentElement.classList.remove('rust', 'coal', 'ayu');

// mdBook's index cuts text into words at spaces: Chinese has none, so that it finds only what a
// sentence begins with. The index also holds the text of each section, and there are a few hundred:
// looking through them takes less than a key press. mdBook keeps the box, the keys and the address.
(function search() {
    if (!window.elasticlunr) {
        return;
    }
    const chinese = document.documentElement.lang.startsWith('zh');
    const header = document.getElementById('mdbook-searchresults-header');
    const list = document.getElementById('mdbook-searchresults');
    let sections = [];

    // Full-width letters as plain ones; quotes as one types them.
    function normalised(text) {
        return text.replace(/[\uff01-\uff5e]/g, c => String.fromCharCode(c.charCodeAt(0) - 0xfee0))
            .replace(/[\u2018\u2019]/g, '\'')
            .toLowerCase();
    }

    // 「epoll边缘触发」 is two terms, as is “epoll 边缘触发”, which the pages write. What only encloses
    // or ends them was not meant, nor what makes a function or a manual page of `listen()` and
    // `epoll_wait(2)`; unless there is nothing else.
    function terms(query) {
        const apart = normalised(query).replace(/[\u3000-\u303f]|,(?!\d)/g, ' ');
        const words = apart.match(/\p{Script=Han}+|[^\s\p{Script=Han}]+/gu) ?? [];
        const bare = words.map(word =>
            word.replace(/^[^\p{L}\p{N}_]+|(\(\d*\))?[^\p{L}\p{N}_]*$/gu, ''));
        return bare.some(Boolean) ? bare.filter(Boolean) : words;
    }

    // “backpressure” finds “back-pressure”, and the other way round. Two letters, such as “ET”, are
    // in too many words that mean something else: they have to be a word by themselves.
    function pattern(term) {
        const letters = Array.from(term.replaceAll('-', '') || term).map(quoted).join('-?');
        const word = /^[a-z]{1,2}$/.test(term);
        return new RegExp(word ? `(?<![a-z0-9_])${letters}(?![a-z0-9_])` : letters, 'gu');
    }

    function quoted(text) {
        return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    }

    function pairs(term) {
        const han = /^\p{Script=Han}{3,}$/u.test(term);
        return han ? Array.from(term.slice(1), (c, i) => term[i] + c) : [];
    }

    function count(text, term) {
        return text.match(pattern(term))?.length ?? 0;
    }

    // What of `term` the section holds, and what that is worth: the term itself, or, failing that,
    // its stem (“queued” finds “queue”), or most of the pairs of a Chinese one.
    function look(section, term) {
        const worth = (found, part) =>
            part * (20 * count(section.title, found) + 5 * count(section.path, found)
                + Math.min(count(section.body, found), 8));
        const forms = part => Array.from(new Set(section.all.match(pattern(part))));
        const stem = elasticlunr.stemmer(term.replaceAll('-', ''));
        const near = pairs(term).filter(pair => section.all.includes(pair));
        if (forms(term).length > 0) {
            return { score: 10 + worth(term, 1), found: forms(term) };
        } else if (stem.length > 2 && forms(stem).length > 0) {
            return { score: 2 + worth(stem, 0.3), found: forms(stem) };
        } else if (near.length > 0 && near.length * 3 >= pairs(term).length * 2) {
            return { score: 1 + near.length, found: near };
        }
        return null;
    }

    function find(query) {
        const wanted = terms(query);
        const results = [];
        for (const section of sections) {
            const looks = wanted.map(term => look(section, term));
            if (wanted.length > 0 && !looks.includes(null)) {
                const score = looks.reduce((sum, { score }) => sum + score, 0);
                results.push({ section, score, found: looks.flatMap(({ found }) => found) });
            }
        }
        return results.sort((a, b) => b.score - a.score);
    }

    // `text` in `element`, with what was found in <em>.
    function emphasise(element, text, found) {
        const places = found.map(term => pattern(term).source).join('|');
        text.split(new RegExp(`(${places})`, 'giu')).forEach((part, i) => {
            const node = document.createElement(i % 2 === 1 ? 'em' : 'span');
            node.textContent = part;
            element.append(node);
        });
    }

    // Some words around the first place.
    function teaser(section, found) {
        const { text } = section;
        const places = found.map(term => section.body.search(pattern(term))).filter(at => at >= 0);
        const [before, after] = chinese ? [30, 90] : [60, 180];
        let from = Math.max(0, Math.min(...places, text.length) - before);
        // Not in the middle of a Latin word.
        while (from > 0 && /[\w'-]/.test(text[from]) && /[\w'-]/.test(text[from - 1])) {
            from -= 1;
        }
        const to = from + before + after;
        return (from > 0 ? '…' : '') + text.slice(from, to) + (to < text.length ? '…' : '');
    }

    function show(query, results) {
        const limit = window.search.results_options.limit_results;
        const more = results.length > limit ? '+' : '';
        const number = Math.min(results.length, limit) + more;
        if (chinese) {
            header.textContent = results.length
                ? `「${query}」共 ${number} 处` : `没有找到「${query}」`;
        } else {
            header.textContent = results.length === 0 ? `Nothing found for “${query}”`
                : `${number} ${results.length === 1 ? 'section' : 'sections'} with “${query}”`;
        }
        list.replaceChildren(...results.slice(0, limit).map(({ section, found }) => {
            const item = document.createElement('li');
            const link = document.createElement('a');
            const [page, id] = section.url.split('#');
            const highlight = encodeURIComponent(found.join(' '));
            link.href = `${path_to_root}${page}?highlight=${highlight}${id ? `#${id}` : ''}`;
            link.textContent = section.where;
            const text = document.createElement('span');
            text.className = 'teaser';
            emphasise(text, teaser(section, found), found);
            item.append(link, text);
            return item;
        }));
    }

    // mdBook loads its index when the box is first opened, and asks what this returns.
    elasticlunr.Index.load = index => {
        sections = Object.values(index.documentStore.docs).map(doc => {
            const [title, path, body] = [doc.title, doc.breadcrumbs, doc.body].map(normalised);
            const url = window.search.doc_urls[doc.id];
            const all = `${path}\n${body}`;
            return { title, path, body, all, url, where: doc.breadcrumbs, text: doc.body };
        });
        // It shows the (no) results that it gets, then these.
        return {
            search(query) {
                const results = find(query);
                queueMicrotask(() => show(query, results));
                return [];
            },
        };
    };

    // An address with `?search=` has it load the index before this script has run, sometimes.
    if (window.search.index) {
        document.getElementById('mdbook-search-index').onload();
        const query = document.getElementById('mdbook-searchbar').value.trim();
        show(query, find(query));
    }
})();

// What a search has found may be in an answer, folded away.
document.querySelectorAll('details').forEach(details => {
    details.open ||= details.querySelector('mark') !== null;
});

// A result leads to a heading, and what was found may stand far below. Not before the browser has
// gone to the heading, which it does again once all is loaded.
addEventListener('load', () => {
    const heading = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const marks = Array.from(document.querySelectorAll('main mark')).filter(mark =>
        !heading || heading.compareDocumentPosition(mark) & (Node.DOCUMENT_POSITION_FOLLOWING
            | Node.DOCUMENT_POSITION_CONTAINED_BY));
    const seen = marks.map(mark => mark.getBoundingClientRect())
        .some(({ top, bottom, height }) => height > 0 && top >= 0 && bottom <= innerHeight);
    if (!seen) {
        marks[0]?.scrollIntoView({ block: 'center', behavior: 'instant' });
    }
});

// The language button leads to the heading above which the reader is, in the other language.
(function language() {
    const button = document.querySelector('a.language');
    button?.addEventListener('click', () => {
        const headings = Array.from(document.querySelectorAll('main [data-there]'));
        const passed = headings.filter(h => h.getBoundingClientRect().top < innerHeight / 2).pop();
        button.hash = scrollY > 0 && passed ? passed.dataset.there : '';
    });
})();
