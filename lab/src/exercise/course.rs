//! The exercises, in the order of the course, and where to read on when one falls short.

use judge::check::programs::{PROGRAMS, Program};
use judge::language::Language;
use judge::reading;

/// A skeleton to be finished, judged as the program of the course that it leads to.
pub(crate) struct Exercise {
    /// A row of `lab/judge/src/check/programs.rs`: how it is run and judged, and its solution.
    pub name: &'static str,
    /// Without its ending: `04-select`.
    pub chapter: &'static str,
    /// What is to be written, in a few words of each language.
    pub task: [&'static str; 2],
    /// What to compare it with.
    pub solution: &'static str,
    /// Where the chapter explains what, as the English fragment.
    parts: Parts,
}

/// The sections of a chapter, by what a server has to do. One on another page names that, too:
/// `08b-uring#the-turn`.
struct Parts {
    wait: &'static str,
    accept: &'static str,
    receive: &'static str,
    /// Until the first answer is out.
    answer: &'static str,
    /// What to watch for, and what not.
    watch: &'static str,
    close: &'static str,
}

/// The sections that are better for one check of one exercise than what is said below.
const ASIDE: &[(&str, &str, &str)] = &[
    ("nonblocking", "echo", "a-new-client"),
    ("nonblocking", "no_delay", "asking-less-often"),
    ("poll", "out_of_descriptors", "the-wait"),
    ("proxy", "resets", "a-side-breaks"),
    ("proxy", "never_reads", "which-side-is-read"),
    ("coroutines", "no_delay", "recv-and-its-wait"),
    ("coroutines", "flooder", "where-it-breaks"),
];

pub(crate) const EXERCISES: &[Exercise] = &[
    Exercise {
        name: "blocking",
        chapter: "02-blocking",
        task: ["the conversation with one client", "与一个客户端的会话"],
        solution: "blocking/src/lib.rs",
        parts: Parts {
            wait: "one-client-at-a-time",
            accept: "one-client-at-a-time",
            receive: "the-conversation",
            answer: "the-conversation",
            watch: "the-conversation",
            close: "the-conversation",
        },
    },
    Exercise {
        name: "nonblocking",
        chapter: "03-nonblocking",
        task: [
            "a call that never sleeps: accept, receive, send, close",
            "都不阻塞的调用：接受、接收、发送、关闭",
        ],
        solution: "nonblocking/src/main.rs",
        parts: Parts {
            wait: "the-loop",
            accept: "a-new-client",
            receive: "receiving",
            answer: "sending",
            watch: "sending",
            close: "receiving",
        },
    },
    Exercise {
        name: "select",
        chapter: "04-select",
        task: ["sending, what to watch, errors, the close", "发送、关注什么、出错时怎么办、关闭"],
        solution: "select/src/main.rs",
        parts: Parts {
            wait: "the-wait",
            accept: "the-loop",
            receive: "receiving",
            answer: "the-message-queue",
            watch: "the-wait",
            close: "closing",
        },
    },
    Exercise {
        name: "poll",
        chapter: "05-poll",
        task: ["the flags to ask for, and the end of a turn", "要求报告哪些标志、一轮的末尾"],
        solution: "poll/src/main.rs",
        parts: Parts {
            wait: "the-wait",
            accept: "the-wait",
            receive: "what-the-flags-mean",
            answer: "what-to-watch-for",
            watch: "what-to-watch-for",
            close: "what-the-flags-mean",
        },
    },
    Exercise {
        name: "epoll",
        chapter: "06-epoll",
        task: [
            "what the kernel is told, a signal, the close",
            "告诉内核什么、来了信号怎么办、关闭",
        ],
        solution: "epoll/src/main.rs",
        parts: Parts {
            wait: "the-loop",
            accept: "what-it-remembers",
            receive: "an-event",
            answer: "what-to-watch-from-now-on",
            watch: "what-to-watch-from-now-on",
            close: "an-event",
        },
    },
    Exercise {
        name: "selectors",
        chapter: "07-selectors",
        task: ["the callbacks read and write, and the close", "回调 read 和 write，以及关闭"],
        solution: "selectors/src/main.rs",
        parts: Parts {
            wait: "the-wait",
            accept: "callbacks",
            receive: "callbacks",
            answer: "callbacks",
            watch: "callbacks",
            close: "what-ownership-buys",
        },
    },
    Exercise {
        name: "uring",
        chapter: "08c-uring-sending",
        task: [
            "what follows a completion: answer, go on, close",
            "完成之后做什么：回复、继续、关闭",
        ],
        solution: "uring/src/main.rs",
        parts: Parts {
            wait: "08b-uring#the-turn",
            accept: "08b-uring#accepting-and-receiving",
            receive: "08b-uring#accepting-and-receiving",
            answer: "08b-uring#accepting-and-receiving",
            watch: "back-pressure-and-closing",
            close: "back-pressure-and-closing",
        },
    },
    Exercise {
        name: "coroutines",
        chapter: "12-coroutines",
        task: ["a task for each client, and where it stops", "每个客户端一个任务，任务在哪里停下"],
        solution: "selectors/src/bin/coroutines.rs",
        parts: Parts {
            wait: "the-wait",
            accept: "the-executor",
            receive: "recv-and-its-wait",
            answer: "recv-and-its-wait",
            watch: "recv-and-its-wait",
            close: "the-conversation",
        },
    },
    Exercise {
        name: "deadlines",
        chapter: "17-deadlines",
        task: ["the time-out of the wait, and three deadlines", "等待的超时，以及三种截止时间"],
        solution: "poll/src/bin/deadlines.rs",
        parts: Parts {
            wait: "the-wait",
            accept: "05-poll#the-wait",
            receive: "16-frames#the-inbox",
            answer: "16-frames#the-server",
            watch: "05-poll#what-to-watch-for",
            close: "05-poll#what-the-flags-mean",
        },
    },
    Exercise {
        name: "proxy",
        chapter: "19-proxy",
        task: ["the ends, what breaks, and who does not read", "两边的结束、一边出错、一边不读"],
        solution: "poll/src/bin/proxy.rs",
        parts: Parts {
            wait: "the-wait",
            accept: "a-pair",
            receive: "handing-on",
            answer: "handing-on",
            watch: "the-wait",
            close: "an-end-is-handed-on",
        },
    },
];

impl Exercise {
    /// How its solution is run and judged, and so the exercise.
    pub(crate) fn row(&self) -> &'static Program {
        let row = PROGRAMS.iter().find(|row| row.name == self.name);
        row.expect("a test below looks for it")
    }

    /// What it begins with, as cargo knows it.
    pub(crate) fn skeleton(&self) -> String {
        format!("exercise_{}", self.name)
    }

    /// The learner's copy of that, as cargo knows it. git ignores it.
    pub(crate) fn own(&self) -> String {
        format!("my_{}", self.name)
    }

    pub(crate) fn skeleton_file(&self) -> String {
        format!("{}/examples/{}.rs", self.row().package, self.skeleton())
    }

    /// What the learner edits.
    pub(crate) fn own_file(&self) -> String {
        format!("{}/examples/{}.rs", self.row().package, self.own())
    }

    /// Which section helps where this check falls short: its chapter, and the English fragment.
    fn section(&self, check: &str) -> Option<(&'static str, &'static str)> {
        let aside = ASIDE.iter().find(|(name, of, _)| *name == self.name && *of == check);
        let own = match check {
            _ if aside.is_some() => aside?.2,
            "echo" => self.parts.answer,
            "byte_by_byte" | "flooder" => self.parts.receive,
            "interleaved" => self.parts.accept,
            "half_close" | "data_with_fin" | "resets" | "comes_and_goes" => self.parts.close,
            "never_reads" | "idle_cpu" => self.parts.watch,
            "asleep_in" | "stop_continue" => self.parts.wait,
            "many_clients" => "where-it-breaks",
            // What is the same in all servers is explained once.
            _ => return reading::section(check),
        };
        Some(own.split_once('#').unwrap_or((self.chapter, own)))
    }

    /// The same as one opens it: `docs/zh/04-select.md#等待`.
    pub(crate) fn help(&self, check: &str, language: Language) -> Option<String> {
        let (chapter, fragment) = self.section(check)?;
        reading::page_section(chapter, fragment, language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::check::suite::CHECKS;
    use judge::reading::root;

    #[test]
    fn each_exercise_has_its_skeleton_and_its_solution() {
        for exercise in EXERCISES {
            assert!(PROGRAMS.iter().any(|row| row.name == exercise.name), "{}", exercise.name);
            let skeleton = std::fs::read_to_string(root().join(exercise.skeleton_file()));
            let skeleton = skeleton.unwrap_or_else(|_| panic!("{}: no skeleton", exercise.name));
            let Exercise { name, solution, .. } = exercise;
            assert!(skeleton.contains(&format!("One solution is `{solution}`")), "{name}");
            assert!(solution.starts_with(&format!("{}/", exercise.row().package)), "{name}");
            assert!(root().join(solution).is_file(), "{name}: no {solution}");
        }
    }

    /// All checks of all solutions run there; `lab/tests/exercises.rs` need not run them again.
    #[test]
    fn each_solution_is_held_to_the_contract_by_its_package() {
        for exercise in EXERCISES {
            let path = root().join(exercise.row().package).join("tests/contract.rs");
            let tests = std::fs::read_to_string(&path).expect("each package has it");
            let row = format!("contract_tests!({}, ", exercise.name);
            assert!(tests.contains(&row), "{}: no {row}…", path.display());
        }
    }

    #[test]
    fn each_skeleton_belongs_to_an_exercise() {
        for row in PROGRAMS {
            let folder = root().join(row.package).join("examples");
            for entry in folder.read_dir().into_iter().flatten().flatten() {
                let path = entry.path();
                // `lab/tests/steps.rs` judges the steps of the server that the chapters grow.
                // Those that begin with `my_` are a learner's.
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with("step_") || name.starts_with("my_") {
                    continue;
                }
                let known = |exercise: &Exercise| root().join(exercise.skeleton_file()) == path;
                assert!(EXERCISES.iter().any(known), "{}: nobody judges it", path.display());
            }
        }
    }

    #[test]
    fn each_shortfall_has_a_section_that_helps_in_both_languages() {
        for exercise in EXERCISES {
            for check in CHECKS {
                for language in Language::BOTH {
                    let found = exercise.help(check.name, language);
                    let (name, asked) = (exercise.name, exercise.section(check.name));
                    assert!(found.is_some(), "{name}: {}: no heading {asked:?}", check.name);
                }
            }
        }
        let select = EXERCISES.iter().find(|exercise| exercise.name == "select");
        let found = select.expect("it is there").help("never_reads", Language::Chinese);
        assert_eq!(found.as_deref(), Some("docs/zh/04-select.md#等待"));
    }

    #[test]
    fn what_is_better_explained_aside_is_an_exercise_and_a_check() {
        for (name, of, _) in ASIDE {
            assert!(EXERCISES.iter().any(|exercise| exercise.name == *name), "{name}");
            assert!(CHECKS.iter().any(|check| check.name == *of), "{of}");
        }
    }
}
