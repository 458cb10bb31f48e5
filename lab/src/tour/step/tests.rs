use super::moves::Moment;
use super::*;
use console::{Key, measure_text_width};
use player::{Ask, Code, Row, Step};

const CODE: &str = "\
fn serve(listener: &Listener) -> io::Result<()> {
    loop {
        // One call waits for all of them: a comment that is longer than any terminal of these tests
        let ready = wait(&listener, &clients, &mut inputs, &mut outputs)?;
        if ready.new_client {
            clients.extend(listener.admit());
        }
    }
}";

fn rows(rows: &[(&str, &str)]) -> Vec<Row> {
    rows.iter()
        .map(|(label, value)| Row { label: (*label).into(), value: (*value).into() })
        .collect()
}

fn step(who: &str, what: &str, says: &str) -> Step {
    Step {
        at: 1500,
        who: who.into(),
        what: what.into(),
        says: says.into(),
        place: Some((0, 38)),
        clients: rows(&[("A", "已连接"), ("B", "not connected")]),
        kernel: rows(&[("accept queue", ""), ("A 的接收缓冲区", "")]),
        server: rows(&[("server", "asleep in select"), ("outputs", "")]),
        ..Step::default()
    }
}

/// The server sleeps; A sends, and the server is asked for what happens; it wakes; and it receives,
/// where no line is known.
fn play() -> Play {
    let mut steps = vec![
        step("server", "select(4, [3], [], [])", "select: nothing is ready. The thread sleeps."),
        step(
            "A",
            "send \"hello\"",
            "A 发送 \"hello\"。内核把数据放进接收缓冲区，服务端还没有看到它。",
        ),
        step("server", "select(4, [3 4], [], []) = 1 (in [4])", "select returns: A is readable."),
        step("server", "recv(4, \"hello\", 1024, 0) = 5", "recv copies the bytes."),
    ];
    steps[0].narration = vec!["waiting for the next event: inputs [3], outputs []".into()];
    steps[1].kernel[1].value = "\"hello\"".into();
    steps[2].kernel[1].value = "\"hello\"".into();
    let (question, why) = ("A has sent. What happens next?".into(), "A is readable.".into());
    let options = ["select sleeps on", "select returns", "什么也不发生"].map(str::to_owned).into();
    steps[2].ask = Some(Ask { question, options, right: 1, why });
    steps[3].place = None;
    let (file, name) = ("select/src/main.rs".into(), "serve".into());
    let code = Code { file, name, from: 35, lines: CODE.lines().map(str::to_owned).collect() };
    Play { program: "select".into(), code: vec![code], steps }
}

const SIZES: [(usize, usize); 6] = [(80, 24), (40, 24), (120, 40), (72, 24), (100, 12), (40, 5)];
const KEYS: &str = "Space next   ← back   g first   G last   q leave";

fn moments() -> impl Iterator<Item = Moment> {
    let asking = [Asking::Open, Asking::Answered(0), Asking::Answered(1)];
    let asking = asking.map(|asking| Moment { at: 1, asking: Some(asking) });
    (0..4).map(|at| Moment { at, asking: None }).chain(asking)
}

fn row_of(lines: &[String], words: &str) -> Option<usize> {
    lines.iter().position(|line| line.contains(words))
}

#[test]
fn nothing_is_wider_or_higher_than_the_terminal() {
    let play = play();
    for language in Language::BOTH {
        for (width, height) in SIZES {
            for colour in [false, true] {
                let view = View::new(&play, language, width, colour);
                for moment in moments() {
                    let lines = view.frame(moment, KEYS, height);
                    let text = lines.join("\n");
                    assert!(lines.len() <= height, "{width}x{height}:\n{text}");
                    for line in lines.iter().chain(&view.whole(moment.at)) {
                        assert!(measure_text_width(line) <= width, "{width}: {line}\nin\n{text}");
                    }
                    assert_eq!(text.contains('\x1b'), colour, "{text}");
                    assert!(lines.last().is_some_and(|line| line.contains("leave")), "{text}");
                }
            }
        }
    }
}

/// Read without spaces: what stands on both sides of a bar is joined by itself.
fn squeezed(lines: &[String]) -> String {
    let (mut left, mut right) = (String::new(), String::new());
    for line in lines {
        let (first, second) = line.split_once('│').unwrap_or((line, ""));
        left += first;
        right += second;
    }
    (left + &right).replace(' ', "")
}

#[test]
fn nothing_of_a_step_is_lost() {
    let play = play();
    for width in [40, 80, 100] {
        let view = View::new(&play, Language::English, width, false);
        for (at, step) in play.steps.iter().enumerate() {
            let text = squeezed(&view.whole(at));
            let rows = step.clients.iter().chain(&step.kernel).chain(&step.server);
            let rows = rows.map(|row| match &*row.value {
                "" => format!("{}: empty", row.label),
                value => format!("{}: {value}", row.label),
            });
            let line = CODE.lines().nth(3).expect("it is there").trim().to_owned();
            let told = [step.what.clone(), step.says.clone(), line];
            for words in told.into_iter().chain(step.narration.clone()).chain(rows) {
                assert!(text.contains(&words.replace(' ', "")), "{width}: no {words} in\n{text}");
            }
        }
        let ask = play.steps[2].ask.as_ref().expect("it is asked");
        let text = squeezed(&view.asked(ask));
        assert!(ask.options.iter().all(|option| text.contains(&option.replace(' ', ""))), "{text}");
        assert!(text.contains("Right.Aisreadable."), "{text}");
    }
}

#[test]
fn at_a_terminal_of_the_usual_size_nothing_moves() {
    let play = play();
    let view = View::new(&play, Language::English, 80, false);
    let code: Vec<_> =
        moments().map(|moment| row_of(&view.frame(moment, KEYS, 24), "38  ")).collect();
    assert!(code[0].is_some() && code.iter().all(|row| *row == code[0]), "{code:?}");
    let frame = view.frame(Moment { at: 1, asking: None }, KEYS, 24);
    assert_eq!(frame.len(), 24, "the keys stand at the bottom");
    // What happened before stands above, while there is room.
    let [before, now] = ["select(4, [3], [], [])", "A send"].map(|words| row_of(&frame, words));
    assert!(before.is_some() && before < now, "{frame:?}");
}

#[test]
fn the_line_is_marked_and_so_is_what_has_changed() {
    let play = play();
    let text = |at| View::new(&play, Language::Chinese, 80, false).whole(at).join("\n");
    let with = |at, words| text(at).lines().filter(|line| line.contains(words)).count();
    assert_eq!((with(0, "▶ 38  "), with(0, "▶")), (1, 1), "{}", text(0));
    assert_eq!(with(0, "* "), 0, "before the first step there was nothing");
    assert_eq!((with(1, "* A 的接收缓冲区：\"hello\""), with(1, "* ")), (1, 1), "{}", text(1));
    assert_eq!(with(2, "* "), 0, "{}", text(2));
    assert_eq!((with(3, "* A 的接收缓冲区：空"), with(3, "▶")), (1, 0), "{}", text(3));
    assert_eq!(with(3, "serve  （这一步没有对应的代码行）"), 1, "{}", text(3));
}

#[test]
fn a_question_is_answered_with_a_digit() {
    let play = play();
    let view = View::new(&play, Language::English, 80, false);
    let frame = |asking| view.frame(Moment { at: 1, asking: Some(asking) }, KEYS, 24).join("\n");
    let open = frame(Asking::Open);
    assert!(open.contains("2  select returns") && !open.contains("Right"), "{open}");
    assert!(frame(Asking::Answered(1)).contains("Right. A is readable."));
    assert!(
        frame(Asking::Answered(2)).contains("No. The answer is: select returns. A is readable.")
    );
}

/// Where these keys lead, from the first step.
fn walked(walk: &mut Walk<'_>, keys: &[Key]) -> (usize, Option<Asking>, Then) {
    let then = keys.iter().map(|key| walk.key(key)).last();
    (walk.now.at, walk.now.asking, then.unwrap_or(Then::Stay))
}

#[test]
fn keys_lead_forward_back_and_out() {
    use Key::{ArrowLeft, ArrowRight, Char, End, Enter, Home};
    let play = play();
    let go = |keys: &[Key]| walked(&mut Walk::new(&play, false, true), keys);
    let (open, stay) = (Some(Asking::Open), Then::Stay);
    for next in [Char(' '), Enter, ArrowRight] {
        assert_eq!(go(std::slice::from_ref(&next)), (1, None, stay));
        let [a, b, c] = [(); 3].map(|()| next.clone());
        assert_eq!(go(&[a.clone(), b.clone()]), (1, open, stay), "asked before it is shown");
        assert_eq!(go(&[a, b, c]), (2, None, stay), "without an answer");
    }
    let answered = Some(Asking::Answered(1));
    assert_eq!(go(&[Enter, Enter, Char('2')]), (1, answered, stay));
    assert_eq!(go(&[Enter, Enter, Char('2'), Char('1')]), (1, answered, stay), "the first counts");
    assert_eq!(go(&[Enter, Enter, Char('4')]), (1, open, stay), "there are three");
    assert_eq!(go(&[Enter, Enter, Char('2'), Char(' ')]), (2, None, stay));
    assert_eq!(go(&[Enter, Enter, Char('b')]), (1, None, stay));
    assert_eq!(go(&[Char('1'), Char('x')]), (0, None, stay), "nobody has asked");
    for back in [ArrowLeft, Char('b')] {
        assert_eq!(go(&[End, back.clone()]), (2, None, stay), "no question on the way back");
        assert_eq!(go(&[back]), (0, None, stay));
    }
    assert_eq!(go(&[Char('G'), Enter]), (3, None, stay), "the last one stays");
    assert_eq!(go(&[End, Home]), (0, None, stay));
    assert_eq!(go(&[End, Char('g')]), (0, None, stay));
    for leave in [Char('q'), Key::Escape, Key::CtrlC] {
        assert_eq!(go(&[Enter, Enter, leave]).2, Then::Leave);
    }
}

#[test]
fn it_goes_on_by_itself_and_can_be_stopped() {
    let play = play();
    let mut walk = Walk::new(&play, true, false);
    let all: Vec<_> = (0..4).map(|_| (walk.tick(), walk.now.at)).collect();
    let stay = Then::Stay;
    assert_eq!(all, [(stay, 1), (stay, 2), (stay, 3), (Then::Leave, 3)], "nobody is asked");

    let mut walk = Walk::new(&play, true, true);
    assert_eq!([(); 4].map(|()| walk.tick()), [stay; 4]);
    assert_eq!((walk.now.at, walk.now.asking), (1, Some(Asking::Open)), "it waits for an answer");
    assert_eq!(walked(&mut walk, &[Key::Char('2'), Key::Char(' ')]).0, 2);
    assert!(walk.playing, "that was the way on");
    assert_eq!([(); 2].map(|()| walk.tick()), [stay; 2], "the end stays on the screen");
    assert!(!walk.playing);

    for (key, playing) in [(Key::Char(' '), false), (Key::Enter, false), (Key::Char('x'), true)] {
        let mut walk = Walk::new(&play, true, true);
        walk.key(&key);
        assert_eq!(walk.playing, playing, "{key:?}");
    }
}
