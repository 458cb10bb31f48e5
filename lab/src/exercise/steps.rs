//! The steps of an exercise, in both languages, and the learner's own copy of its skeleton.
//!
//! In English they are comments of the skeleton, above the code that they are about. For Chinese
//! readers the copy has the comments below in their place.

use super::course::Exercise;
use common::reason;
use judge::language::Language;
use judge::wrap::wrap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

/// The steps in Chinese, in their order.
pub(super) const CHINESE: &[(&str, &[&str])] = &[
    (
        "blocking",
        &[
            "第 1 步。客户端会发不止一条消息，比缓冲区长的消息会分几次到达：只要还有数据，就一直接收、一直回复。陷阱：输入结束不是错误。它是一次成功返回、却没有数据的 recv，而且无论再问多少次，都会立即返回。",
            "第 2 步。回复放在客户端的队列里，一次 send 可能只发走前面一部分（例如来了信号）。陷阱：剩下的要留在队列里，下一条回复排在它后面。（没有检查能看到这一点：在回环上，会阻塞的 send 总能全部发完。）",
        ],
    ),
    (
        "nonblocking",
        &[
            "第 1 步。任何调用都不能阻塞，否则所有客户端都跟着等。陷阱：只把监听套接字设为非阻塞还不够。在 Linux 上，accept 得到的套接字仍然是阻塞的，笔记里的程序就是这样。`admit` 本来不会这样；这一行让它们变成笔记里的样子。",
            "第 2 步。留下还没有结束的客户端（`is_finished`）。丢弃一个客户端，就关闭了它的连接。",
            "第 3 步。内核放不下的留在队列里，下一轮再发。陷阱：「放不下」是以错误的形式返回的，而这个函数会因此放弃一个读得慢的客户端。",
            "第 4 步。「还没有数据」（`common::would_block`）是最常见的结果，不是错误。其他错误结束这一条连接（`lose`），而且只结束这一条。陷阱：只发送、不读回复的客户端会让队列无限增长，除非这段时间不再接收它的数据（`wants_read`）。",
        ],
    ),
    (
        "select",
        &[
            "第 1 步。如果队列里有内容，就发送一次（`Connection::send`）。陷阱：可能只发走一部分，也可能一点也没发走（`common::would_block`）；剩下的留在队列里。其他错误结束这一条连接（`lose`），不影响别的连接。",
            "第 2 步。留下还没有结束的客户端（`is_finished`：不会再有数据到来，也没有内容要发）。丢弃一个客户端，就关闭了它的连接。陷阱：要在这里做，在一轮的末尾。做得早了，其他客户端的位置就变了。",
            "第 3 步。队列里有内容时才关注能否发送（`outputs`、`wants_write`），需要输入时才关注输入（`wants_read`）。陷阱：套接字几乎总是可写，输入结束之后也一直可读。如果关注了却不去处理，select 每次都会立即返回。",
        ],
    ),
    (
        "poll",
        &[
            "第 1 步。对一个客户端关注什么：关注输入；队列里有内容时还要关注能否发送。陷阱：套接字几乎总是可写，输入结束每次调用都会报告，不读回复的客户端不能再读（`wants_write`、`wants_read`）。如果关注了却不去处理，poll 每次都会立即返回。",
            "第 2 步。留下还没有结束的客户端（`is_finished`）。丢弃一个客户端，就关闭了它的连接。陷阱：要在这里做，在一轮的末尾。做得早了，其他客户端的位置就变了。",
        ],
    ),
    (
        "epoll",
        &[
            "第 1 步。告诉内核从现在起关注这个客户端的什么（`epoll.modify`）：需要输入时关注输入（`wants_read`），队列里有内容时关注能否发送（`wants_write`）。陷阱：关注着而又就绪的，每次等待都会报告，不管你要不要。而且每次调用都有开销，把内核已经知道的再说一遍也一样。",
            "第 2 步。如果先来了信号（EINTR；SIGSTOP 和 SIGCONT 就足够），那么没有就绪的，也没有出错。陷阱：用 `?` 会让整个服务端退出，所有客户端都断开。",
            "第 3 步。如果这个客户端已经结束（`is_open` 会说明），就丢弃它：这样会关闭它的描述符，内核也就不再关注它。陷阱：这一批里可能还有它的事件，而下一个客户端可能得到同一个编号。`handle` 是怎样处理这种情况的？",
        ],
    ),
    (
        "selectors",
        &[
            "第 1 步。立即发送（`send_queued`）：几乎总是发得出去。",
            "第 2 步。关闭一个客户端。陷阱：它的套接字有两个所有者，选择器里的键是其中之一（`unregister`）。",
            "第 3 步。一次 send 没发完的，等可写了再发：写一个函数 `write`，形式和这个函数一样，让选择器来调用它（`selector.modify`、EVENT_WRITE），直到队列清空；然后再换回 `read`。陷阱：如果两样都等，就会一直读一个不读回复的客户端。如果总是等待可写，就永远不会阻塞。",
        ],
    ),
    (
        "uring",
        &[
            "第 1 步。把回复放进队列（`reply`）。没有字节就是输入结束（`end_input`）；出错则结束这一条连接（`lose`）。陷阱：有两个错误不算出错。ECANCELED 是你自己要求的；ENOBUFS 是缓冲区暂时不够，再要求一次就行。",
            "第 2 步。已经结束的客户端（`is_finished`，而且没有借出的内存）要关闭：从 `clients` 里移除。陷阱：只要还有它的操作在进行，它的位置就不能给别的客户端。先取消，再等最后一次完成；已经断开的客户端，借给它的内存也要收回来。",
            "第 3 步。需要输入时才接收（`wants_read`）。已经在进行的请求会自己继续下去：客户端不读回复时，要把它取消。陷阱：输入结束之后，每个接收请求都会立即完成。",
        ],
    ),
    (
        "coroutines",
        &[
            "第 1 步。让任务停下，直到有数据可收（`readable`），而不是过一会儿再问一次。陷阱：总有数据的客户端不能独占线程。只有在 `.await` 处别的任务才有机会运行，而执行不到的 `.await` 等于没有。",
            "第 2 步。给每个客户端一个自己的任务（`spawn`）。陷阱：`.await` 等的是它前面的整个表达式。在这里，那是一个客户端将要发送的全部内容，这期间不会接受别的客户端。",
            "第 3 步。把队列里的全部发完，不管一次 send 能发多少；发不出去时让任务停下。陷阱：「发不出去」是以错误的形式返回的（`would_block`），而这个函数会因此结束这个客户端。而且几乎总是发得出去：先问能不能发，每次回复都要多等一次。",
        ],
    ),
    (
        "deadlines",
        &[
            "第 1 步。poll 最多可以睡多久：到所有客户端中最近的截止时间为止；没有客户端就不限。陷阱：服务其他客户端的这段时间里，某个截止时间可能已经过了。这时 poll 一刻也不能睡，剩余时间是 0，而不是负数。",
            "第 2 步。放弃每个已过截止时间的客户端（`Connection::abandon`）。陷阱：要在这里做，在处理完就绪的之后，而不是之前。消息既然已经到了，就不算迟，哪怕迟的是我们自己。",
            "第 3 步。一条消息从第一个字节到换行，最多可以用 `limits.message`。记下它从什么时候开始。陷阱：同一条消息后面的字节不能改动这个时刻，否则隔一会儿发一个字节就能一直占着连接。换行之后的是另一条消息。",
            "第 4 步。队列里有回复时，客户端最多可以有 `limits.unread` 这么久一个字节也不取。陷阱：取走一些就是有进展，读得慢的客户端不能断开。这期间别的时钟都不走：我们可能已经停止接收它的数据，它的消息剩下的部分到不了。",
        ],
    ),
    (
        "proxy",
        &[
            "第 1 步。这一边不再发送，但可能还在读。所以要把同样的话告诉另一边（`shut_down_sending`），两边都结束了（`input_ended`）才一起关闭。陷阱：输入结束后，poll 每次调用都会报告它，所以不要再关注这一边的输入。",
            "第 2 步。一条连接被重置，只结束它所在的这一对，不能让程序退出，也不影响别的连接。陷阱：如果只是把另一边关闭，对方读到的是结束，会以为收到的就是全部。要用重置告诉它：数据不全。关闭之前，用 socket2 的 `SockRef::set_linger` 设为零秒。",
            "第 3 步。除了 poll，任何调用都不能阻塞；否则一个停下不读的客户端，会让所有连接都停下。把两个套接字都设为非阻塞。陷阱：这样一来，send 可能只发走一部分，也可能一点也没发走，所以这一步离不开第 4 步。",
            "第 4 步。收到的数据先放进要发往的那一边的队列（`queue_mut`），等 poll 报告那一边可写了再发（`wants_write`、`send_queued`）。陷阱：这个队列满了（`is_full`），就不能再读另一边，因此也不要关注它的输入。结束排在字节后面：队列空了才能转告。还有，两个方向都已结束的套接字，不管有没有要求，都会报告 POLLHUP：轮到它之前，不要把它放进列表。",
        ],
    ),
];

/// A step in a skeleton: its number, the lines of its comment, and what stands in front of them.
struct Step {
    number: usize,
    lines: Range<usize>,
    margin: String,
    text: String,
}

/// The steps in the order in which they stand in the file.
fn steps(skeleton: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (index, line) in skeleton.lines().enumerate() {
        let code = line.trim_start();
        let words = code.trim_start_matches('/').trim_start();
        let number = words.strip_prefix("Step ").and_then(|rest| rest.split_once(". "));
        if !code.starts_with("//") || code.starts_with("//!") || words.is_empty() {
            inside = false;
        } else if let Some((Ok(number), _)) = number.map(|(n, rest)| (n.parse(), rest)) {
            let margin = line[..line.len() - words.len()].to_owned();
            steps.push(Step { number, lines: index..index + 1, margin, text: words.to_owned() });
            inside = true;
        } else if let (true, Some(step)) = (inside, steps.last_mut()) {
            step.lines.end = index + 1;
            step.text = format!("{} {words}", step.text);
        }
    }
    steps
}

/// What `--hint` prints: the steps by number.
pub(super) fn hints(exercise: &Exercise, skeleton: &str, language: Language) -> Vec<String> {
    if language == Language::Chinese {
        return chinese(exercise).iter().map(|text| (*text).to_owned()).collect();
    }
    let mut steps = steps(skeleton);
    steps.sort_by_key(|step| step.number);
    steps.into_iter().map(|step| step.text).collect()
}

fn chinese(exercise: &Exercise) -> &'static [&'static str] {
    CHINESE.iter().find(|(name, _)| *name == exercise.name).map_or(&[], |(_, steps)| steps)
}

/// The skeleton as the learner gets it: under its own name, and its steps in their language.
fn copy(exercise: &Exercise, skeleton: &str, language: Language) -> String {
    let mut lines: Vec<String> = skeleton.lines().map(str::to_owned).collect();
    if language == Language::Chinese {
        for step in steps(skeleton).into_iter().rev() {
            let Some(text) = chinese(exercise).get(step.number - 1) else { continue };
            let wrapped = wrap(text, 100 - step.margin.len());
            let told = wrapped.into_iter().map(|line| format!("{}{line}", step.margin));
            lines.splice(step.lines, told);
        }
    }
    (lines.join("\n") + "\n").replace(&exercise.skeleton(), &exercise.own())
}

/// Makes the learner's copy under `root`, if there is none yet, and says whether it did.
pub(super) fn begin(exercise: &Exercise, root: &Path, language: Language) -> Result<bool, String> {
    let [skeleton, own] = [exercise.skeleton_file(), exercise.own_file()];
    let about = |path: &str, error: io::Error| format!("{path}: {}", reason(&error));
    if root.join(&own).exists() {
        return Ok(false);
    }
    let text = fs::read_to_string(root.join(&skeleton)).map_err(|e| about(&skeleton, e))?;
    fs::write(root.join(&own), copy(exercise, &text, language)).map_err(|e| about(&own, e))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::course::EXERCISES;
    use super::*;
    use judge::reading::root;

    #[test]
    fn each_step_is_told_in_both_languages() {
        for exercise in EXERCISES {
            let file = root().join(exercise.skeleton_file());
            let skeleton = fs::read_to_string(file).expect("it is there");
            let english = hints(exercise, &skeleton, Language::English);
            assert!(!english.is_empty(), "{}: no steps", exercise.name);
            assert_eq!(english.len(), chinese(exercise).len(), "{}", exercise.name);
            for (number, (en, zh)) in (1..).zip(english.iter().zip(chinese(exercise))) {
                assert!(en.starts_with(&format!("Step {number}. ")), "{en}");
                assert!(zh.starts_with(&format!("第 {number} 步。")), "{zh}");
                assert_eq!(en.contains("Trap: "), zh.contains("陷阱："), "{zh}");
            }
        }
    }

    #[test]
    fn a_copy_is_made_once_in_the_readers_language() {
        let select = EXERCISES.iter().find(|exercise| exercise.name == "select").expect("one");
        let folder = tempfile::tempdir().expect("a folder");
        let (skeleton, own) = (select.skeleton_file(), folder.path().join(select.own_file()));
        fs::create_dir_all(own.parent().expect("a folder")).expect("made");
        let original = fs::read_to_string(root().join(&skeleton)).expect("it is there");
        fs::write(folder.path().join(&skeleton), &original).expect("written");
        let read = || fs::read_to_string(&own).expect("the copy is there");

        assert_eq!(begin(select, folder.path(), Language::Chinese), Ok(true));
        assert!(read().contains("// 第 2 步。") && !read().contains("Step 2."), "{}", read());
        assert!(read().contains("cargo run --example my_select "), "{}", read());
        let code = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(code(&read()), code(&original));

        fs::write(&own, "mine").expect("written");
        assert_eq!(begin(select, folder.path(), Language::English), Ok(false));
        assert_eq!(read(), "mine");
    }
}
