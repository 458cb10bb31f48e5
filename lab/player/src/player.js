'use strict';

// Goes through a recorded run of a server, step by step. The run is the JSON in the element, which
// `page.rs` has written; what is shown is what stands there.
(function players() {
    const WORDS = {
        en: {
            label: 'The recorded run of PROGRAM, step by step. Keys: left and right arrow, Home, '
                + 'End, space.',
            first: 'First step', back: 'One step back', play: 'Play', pause: 'Pause',
            forward: 'Next', last: 'Last step', slider: 'Step',
            ask: 'ask me', keys: '← → Home End, space plays',
            code: 'code', clients: 'clients', kernel: 'kernel', server: 'server',
            said: 'what the server printed', nothing: 'nothing at this step',
            noLine: '(no line at this step)',
            empty: 'empty', changed: 'changed: ', time: ' ms', options: 'What happens next?',
            right: 'Right. ', wrong: 'No. The answer is: ', end: '. ',
        },
        zh: {
            label: 'PROGRAM 的一次运行记录，逐步播放。按键：左右方向键、Home、End、空格。',
            first: '第一步', back: '上一步', play: '播放', pause: '暂停',
            forward: '下一步', last: '最后一步', slider: '步',
            ask: '向我提问', keys: '← → Home End，空格播放',
            code: '代码', clients: '客户端', kernel: '内核', server: '服务端',
            said: '服务端打印的内容', nothing: '这一步没有打印',
            noLine: '（这一步没有对应的代码行）',
            empty: '空', changed: '有变化：', time: ' 毫秒', options: '接下来会发生什么？',
            right: '答对了。', wrong: '不对。正确答案是：', end: '。',
        },
    };

    const ICONS = {
        first: 'M6 5v14M18 5l-8 7 8 7', back: 'M15 5l-8 7 8 7', forward: 'M9 5l8 7-8 7',
        last: 'M18 5v14M6 5l8 7-8 7', play: 'M7 4l13 8-13 8z', pause: 'M6 4h4v16H6zM14 4h4v16h-4z',
    };

    // An element with a class. No `code` and no `pre` is made: mdBook colours what is in them and
    // puts buttons upon it.
    function make(name, style, text, ...children) {
        const element = document.createElement(name);
        element.className = style;
        element.textContent = text;
        element.append(...children);
        return element;
    }

    function icon(name) {
        const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
        svg.setAttribute('viewBox', '0 0 24 24');
        svg.setAttribute('aria-hidden', 'true');
        const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
        path.setAttribute('d', ICONS[name]);
        svg.append(path);
        svg.classList.toggle('filled', name === 'play' || name === 'pause');
        return svg;
    }

    function button(name, words, act) {
        const button = make('button', name, '', icon(name));
        button.type = 'button';
        button.title = words[name];
        button.setAttribute('aria-label', words[name]);
        button.addEventListener('click', act);
        return button;
    }

    // A function of the program. A line that is too wide goes on further right than it begins.
    function listing(code) {
        const lines = code.lines.map((text, index) => {
            const indent = text.match(/^\s*/)[0];
            const body = make('span', 'text', '', make('span', 'indent', indent),
                text.slice(indent.length) + '\n');
            body.style.setProperty('--indent', indent.length);
            const line = make('div', 'line', '', make('span', 'number', code.from + index), body);
            line.classList.toggle('comment', /^(\/\/|\/\*|\*\s|#\s)/.test(text.trim()));
            line.dataset.line = code.from + index;
            return line;
        });
        const listing = make('div', 'function', '', ...lines);
        listing.hidden = true;
        return listing;
    }

    function pane(name, words, ...children) {
        const title = make('p', 'title', words[name]);
        const pane = make('section', 'pane ' + name, '', title, ...children);
        pane.setAttribute('aria-label', words[name]);
        return pane;
    }

    // How long a sentence takes to read, in milliseconds. A Chinese character is half a word.
    function reading(text) {
        const han = (text.match(/\p{Script=Han}/gu) ?? []).length;
        return Math.max(2500, 1000 + 140 * han + 45 * (text.length - han));
    }

    function build(root) {
        const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
        const language = root.closest('[lang]')?.lang ?? 'en';
        const words = WORDS[language.startsWith('zh') ? 'zh' : 'en'];
        const steps = data.steps;
        const still = matchMedia('(prefers-reduced-motion: reduce)');
        if (steps.length === 0) {
            return;
        }
        // The step that is shown; the question that is open before the next one.
        let at = 0;
        let question = null;
        let timer = null;

        const buttons = {
            first: button('first', words, () => go(0)),
            back: button('back', words, () => go(at - 1)),
            play: button('play', words, () => timer === null ? play() : pause()),
            forward: button('forward', words, () => { pause(); forward(); }),
            last: button('last', words, () => go(steps.length - 1)),
        };
        buttons.forward.append(make('span', '', words.forward));
        const slider = make('input', 'slider', '');
        Object.assign(slider, { type: 'range', min: 1, max: steps.length, step: 1, value: 1 });
        slider.setAttribute('aria-label', words.slider);
        slider.addEventListener('input', () => go(slider.value - 1));
        const counter = make('span', 'counter', '');
        const asks = make('input', '', '');
        Object.assign(asks, { type: 'checkbox', checked: true });
        const controls = make('div', 'controls', '',
            make('div', 'buttons-of-player', '', ...Object.values(buttons)),
            make('div', 'slide', '', slider, counter),
            make('label', 'asks', '', asks, ' ' + words.ask),
            make('span', 'keys', words.keys));
        controls.querySelector('.keys').setAttribute('aria-hidden', 'true');

        const who = make('b', 'who', '');
        const what = make('span', 'call', '');
        const time = make('span', 'time', '');
        const says = make('p', 'says', '');
        const asking = make('div', 'asking', '');
        const live = make('div', 'live', '', says, asking);
        live.setAttribute('aria-live', 'polite');
        const stage = make('div', 'stage', '', make('p', 'what', '', time, who, ' ', what), live);

        const place = make('span', 'place', '');
        const functions = data.code.map(listing);
        const scroll = make('div', 'scroll', '', ...functions);
        scroll.tabIndex = 0;
        scroll.setAttribute('role', 'group');
        scroll.setAttribute('aria-label', words.code);
        const longest = Math.max(...data.code.map(code => code.lines.length), 4);
        scroll.style.setProperty('--lines', longest);
        const narration = make('div', 'narration', '');
        const said = make('div', 'said', '', make('p', 'title', words.said), narration);
        const code = pane('code', words, scroll, said);
        code.firstChild.append(place);
        const rows = {};
        const sets = ['clients', 'kernel', 'server'].map(name => {
            rows[name] = make('dl', 'rows', '');
            return pane(name, words, rows[name]);
        });
        const panes = make('div', 'panes', '', code, make('div', 'sets', '', ...sets));

        // A box within: what asks for the player's width cannot itself be asked.
        root.append(make('div', 'box', '', controls, stage, panes));
        root.tabIndex = 0;
        root.setAttribute('role', 'group');
        root.setAttribute('aria-label', words.label.replace('PROGRAM', data.program));
        root.addEventListener('keydown', key);
        root.classList.add('on');
        show();

        // Where a row stands is new to this step, or what is in it.
        function table(name) {
            const before = at === 0 ? null : new Map(steps[at - 1][name]);
            rows[name].replaceChildren(...steps[at][name].map(([label, value]) => {
                const changed = before !== null && before.get(label) !== value;
                const row = make('div', 'row', '', make('dt', '', label),
                    make('dd', value === '' ? 'empty' : '', value === '' ? words.empty : value));
                if (changed) {
                    row.classList.add('changed');
                    row.lastChild.prepend(make('span', 'unseen', words.changed));
                }
                return row;
            }));
        }

        function show() {
            const step = steps[at];
            who.textContent = step.who;
            who.dataset.who = step.who;
            what.textContent = step.what;
            time.textContent = (step.at / 1000).toFixed(1) + words.time;
            says.textContent = step.says;
            // The focus must not be lost with the options.
            if (asking.contains(document.activeElement)) {
                buttons.forward.focus({ preventScroll: true });
            }
            asking.replaceChildren();
            question = null;
            Object.keys(rows).forEach(table);
            narration.replaceChildren(...step.narration.map(line => make('p', '', line)));
            if (step.narration.length === 0) {
                narration.append(make('p', 'nothing', words.nothing));
            }
            placed(step);
            slider.value = at + 1;
            counter.textContent = `${at + 1} / ${steps.length}`;
            slider.setAttribute('aria-valuetext', counter.textContent);
            root.dataset.step = at;
            // Not `disabled`: the button would lose the focus, and the next key turn the page.
            for (const name of ['first', 'back']) {
                buttons[name].setAttribute('aria-disabled', at === 0);
            }
            for (const name of ['forward', 'last']) {
                buttons[name].setAttribute('aria-disabled', at === steps.length - 1);
            }
        }

        // A step without a line is shown with the function that was left last.
        function placed(step) {
            const has = step.code !== undefined;
            const last = steps.slice(0, at + 1).findLast(step => step.code !== undefined);
            const index = has ? step.code : last?.code ?? 0;
            const { name, file } = data.code[index] ?? { name: '', file: '' };
            place.replaceChildren(' ', make('b', '', name), ' ' + (has ? file : words.noLine));
            code.classList.toggle('nowhere', !has);
            const turned = functions[index]?.hidden;
            functions.forEach((listing, other) => { listing.hidden = other !== index; });
            scroll.querySelector('.here')?.classList.remove('here');
            scroll.querySelector('[aria-current]')?.removeAttribute('aria-current');
            const line = has ? functions[index]?.querySelector(`[data-line="${step.line}"]`) : null;
            if (line) {
                line.classList.add('here');
                line.setAttribute('aria-current', 'step');
                reveal(line, turned);
            }
        }

        // Within the pane alone, and only if the line is not well in view already.
        function reveal(line, turned) {
            const { top, height } = line.getBoundingClientRect();
            const above = top - scroll.getBoundingClientRect().top;
            const room = scroll.clientHeight;
            const away = above < height || above > room - 2 * height;
            const smooth = away && !turned && !still.matches;
            // In view it stays where it is, also if the pane was still moving.
            const to = scroll.scrollTop + (away ? above - (room - height) / 2 : 0);
            scroll.scrollTo({ top: to, behavior: smooth ? 'smooth' : 'instant' });
        }

        function go(step) {
            pause();
            at = Math.min(Math.max(step, 0), steps.length - 1);
            show();
        }

        // To the question before the next step, or to the step: also if nobody has answered.
        function forward() {
            const next = steps[at + 1];
            if (next?.ask && asks.checked && question === null) {
                ask(next.ask);
            } else if (next) {
                at += 1;
                show();
            }
        }

        function ask(about) {
            question = about;
            const options = about.options.map((text, index) => {
                const option = make('button', 'option-of-player', '',
                    make('span', 'digit', index + 1), make('span', '', text));
                option.type = 'button';
                option.addEventListener('click', () => answer(index));
                return option;
            });
            asking.replaceChildren(make('p', 'question', about.question),
                make('div', 'options', '', ...options));
            asking.lastChild.setAttribute('role', 'group');
            asking.lastChild.setAttribute('aria-label', words.options);
            lookAt(asking);
        }

        function answer(index) {
            const options = asking.querySelectorAll('.option-of-player');
            if (!options[index] || asking.querySelector('.result')) {
                return;
            }
            const { right, why } = question;
            options.forEach((option, number) => {
                option.setAttribute('aria-disabled', 'true');
                option.classList.toggle('right', number === right);
                option.classList.toggle('wrong', number === index && index !== right);
            });
            const verdict = index === right ? words.right : words.wrong
                + question.options[right].replace(/[.。]$/, '') + words.end;
            asking.append(make('p', 'result', '', make('b', '', verdict), why));
            lookAt(asking.lastChild);
            if (timer !== null) {
                later(reading(verdict + why));
            }
        }

        // On a telephone the reader may be further down, at what the kernel has.
        function lookAt(element) {
            const behavior = still.matches ? 'instant' : 'smooth';
            element.scrollIntoView({ block: 'nearest', behavior });
        }

        // Playing stops at a question for as long as three readings of it take.
        function play() {
            if (at === steps.length - 1) {
                at = 0;
                show();
                later(reading(steps[at].says));
            } else {
                tick();
            }
            playing(true);
        }

        function tick() {
            forward();
            if (at === steps.length - 1) {
                pause();
            } else if (question) {
                later(3 * reading(question.question + question.options.join('')));
            } else {
                later(reading(steps[at].says));
            }
        }

        function later(milliseconds) {
            clearTimeout(timer);
            timer = setTimeout(tick, milliseconds);
        }

        function pause() {
            clearTimeout(timer);
            timer = null;
            playing(false);
        }

        function playing(on) {
            const name = on && timer !== null ? 'pause' : 'play';
            buttons.play.replaceChildren(icon(name));
            buttons.play.title = words[name];
            buttons.play.setAttribute('aria-label', words[name]);
        }

        // mdBook turns the page at an arrow key: not while the player has the focus.
        function key(event) {
            if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
                return;
            }
            // The slider has these keys itself, a button the space bar.
            const own = event.target === slider && event.key !== ' ';
            const pressed = event.key === ' ' && event.target.matches('button, [type=checkbox]');
            const act = {
                'ArrowRight': () => { pause(); forward(); },
                'ArrowLeft': () => go(at - 1),
                'Home': () => go(0),
                'End': () => go(steps.length - 1),
                ' ': () => timer === null ? play() : pause(),
            }[event.key] ?? (question && /^[1-9]$/.test(event.key)
                ? () => answer(event.key - 1) : null);
            if (act) {
                event.stopPropagation();
                if (!own && !pressed) {
                    event.preventDefault();
                    act();
                }
            }
        }
    }

    document.querySelectorAll('.player').forEach(build);
})();
