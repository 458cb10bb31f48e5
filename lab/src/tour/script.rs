//! What the clients do, and the notes' words on it.

use super::stage::Stage;
use judge::check::programs::Program;
use judge::check::subject::Gives;
use judge::ended::Ended;
use judge::language::Language;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Script {
    /// S3's five steps.
    FiveSteps,
    /// S1's four observations, of a server told of each event once, or as long as it lasts.
    FourObservations { edge: bool },
    /// Two clients; the one that came later asks first.
    TwoClients,
    /// The same, with a server for which there is only one at a time.
    OneAtATime,
}

impl Script {
    pub(super) fn of(row: &Program) -> Self {
        match row.name {
            "select" => Self::FiveSteps,
            "epoll" => Self::FourObservations { edge: false },
            "epoll_edge" => Self::FourObservations { edge: true },
            _ if row.gives == Gives::AnswersOne => Self::OneAtATime,
            _ => Self::TwoClients,
        }
    }

    /// A line for the list.
    pub(super) fn about(self, language: Language) -> &'static str {
        let [en, zh] = match self {
            Self::FiveSteps => {
                ["S3's five steps, and two clients", "S3 的五个步骤，外加两个客户端"]
            }
            Self::FourObservations { .. } => ["S1's four observations", "S1 的四点观察"],
            Self::TwoClients => ["two clients", "两个客户端"],
            Self::OneAtATime => {
                ["two clients, one after the other", "两个客户端，一个断开了才轮到另一个"]
            }
        };
        match language {
            Language::English => en,
            Language::Chinese => zh,
        }
    }

    pub(super) fn play(self, stage: &mut Stage) -> Result<(), Ended> {
        match self {
            Self::FiveSteps => five_steps(stage),
            Self::FourObservations { edge } => four_observations(stage, edge),
            Self::TwoClients => two_clients(stage),
            Self::OneAtATime => one_at_a_time(stage),
        }
    }
}

fn five_steps(stage: &mut Stage) -> Result<(), Ended> {
    stage.step(
        [
            "1. The loop",
            "inputs has the listener, outputs is empty, and there is no queue yet. select sleeps.",
        ],
        [
            "1. S3「通过无限循环监听select事件」",
            "inputs 里只有监听套接字，outputs 为空，还没有队列。服务端阻塞在 select 上。",
        ],
    )?;
    stage.started()?;
    stage.step(
        [
            "2. A client asks to connect",
            "readable has the listener, writable is empty. accept makes a new descriptor for the \
             client: it joins inputs and gets a queue, empty. outputs stays as it was.",
        ],
        [
            "2. S3「客户端请求连接服务端」",
            "readable 里是监听套接字，writable 为空。accept 为客户端得到一个新的描述符：它进入 inputs，\
             并有了自己的队列，队列是空的。outputs 仍然为空。",
        ],
    )?;
    let mut a = stage.connects('A')?;
    stage.step(
        [
            "3. It sends",
            "readable has the client, writable is empty. recv takes the bytes, and they go into \
             its queue; because something is queued, the client joins outputs. (S3 puts the data \
             into outputs. There stands the socket; the data is in the queue.)",
        ],
        [
            "3. S3「服务端接收客户端发送的数据」",
            "readable 里是客户端，writable 为空。recv 收下的字节放进它的队列；队列里有了东西，\
             客户端才进入 outputs。（S3 说「为outputs增添消息数据」：进 outputs 的是套接字，数据在队列里。）",
        ],
    )?;
    stage.sends(&mut a, "hello")?;
    stage.hear(&[&["received", "waiting for"]], Some(&a))?;
    stage.step(
        [
            "4. It is answered",
            "readable is empty, writable has the client. What wakes select is not that outputs has \
             an entry, as S3 says, but room in the send buffer, and that is nearly always there. \
             The queue is sent; now that it is empty, the client leaves outputs.",
        ],
        [
            "4. S3「outputs非空触发select事件」",
            "readable 为空，writable 里是客户端。其实触发 select 的不是 outputs 非空，而是发送缓冲区有空间，\
             而这几乎总是成立。队列里的数据发出去，队列空了，客户端移出 outputs。",
        ],
    )?;
    stage.hear(&[&["output queue for {P} is empty"]], Some(&a))?;
    stage.step(
        [
            "5. And round again",
            "inputs has the listener and the client, outputs is empty, and so is the queue. select \
             sleeps until there is a new client (step 2) or more data (step 3; S3 says 2). The \
             answer waits in the client's own receive buffer until the client reads it.",
        ],
        [
            "5. S3「等待客户端发送数据,回到第2步」",
            "inputs 里是监听套接字和客户端，outputs 为空，队列是空的。又阻塞在 select 上：来了新客户端，\
             回到第 2 步；来了数据，则是第 3 步。回复停在客户端自己的接收缓冲区里，等它来读。",
        ],
    )?;
    stage.hear(&[&["waiting for"]], None)?;
    stage.receives(&mut a, "hello")?;

    stage.step(
        ["Two clients, one thread: B comes", "Step 2 again. inputs has three members now."],
        ["两个客户端，一个线程：B 来了", "又是第 2 步。inputs 里现在有三个。"],
    )?;
    let mut b = stage.connects('B')?;
    stage.step(
        [
            "Two clients, one thread: both send",
            "The server is held meanwhile and finds both at once: one call of select, two members \
             of readable, then two of writable. B sent first, but A connected first: a set says \
             who is ready, not since when.",
        ],
        [
            "两个客户端，一个线程：同时有数据",
            "其间服务端被暂停，醒来时两份数据都在：一次 select，readable 里有两个，接着 writable 里也有两个。\
             先发送的是 B，先连接的是 A：集合只表明哪些就绪，不表明从什么时候起就绪。",
        ],
    )?;
    stage.while_held(|stage| {
        stage.sends(&mut b, "hi")?;
        stage.sends(&mut a, "again")
    })?;
    stage.answers(&b)?;
    stage.receives(&mut b, "hi")?;
    stage.receives(&mut a, "again")?;
    stage.step(
        [
            "They leave",
            "A client that has disconnected is readable: recv returns 0 bytes. That is a success, \
             not the failure that S3's step 3 waits for. It leaves inputs, and its \
             queue goes with it.",
        ],
        [
            "断开",
            "客户端断开之后，它就是可读的：recv 返回 0 字节。这是成功，而不是 S3 第 3 步所说的「接收失败」。\
             它移出 inputs，队列也一同丢弃。",
        ],
    )?;
    stage.closes(a)?;
    stage.closes(b)
}

fn four_observations(stage: &mut Stage, edge: bool) -> Result<(), Ended> {
    stage.step(
        [
            "1. S1: with no client, it blocks in select.epoll()",
            "Wrong. That call makes the epoll instance and returns; the listener has been \
             registered since. It sleeps in epoll_wait.",
        ],
        [
            "1. S1「程序阻塞在 epoll_fd = select.epoll( ) 处」",
            "错误。那个调用创建 epoll 实例，早就返回了，后来还注册了监听套接字。它阻塞在 epoll_wait 上。",
        ],
    )?;
    stage.started()?;
    stage.sleeps()?;
    let [en, zh] = if edge {
        [
            "Right: S1's 3 is the listener, 1 is EPOLLIN. accept, and the client is registered, \
             here for EPOLLOUT too. That counts as an edge: the next wait says that there is room \
             to send, and does not say it again.",
            "正确：S1 的 3 是监听套接字，1 是 EPOLLIN。accept 之后注册客户端；这里同时注册了 EPOLLOUT，\
             注册本身就会触发一次：下一次等待报告发送缓冲区有空间，以后不再重复。",
        ]
    } else {
        [
            "Right: S1's 3 is the listener, 1 is EPOLLIN. accept, and the client is registered, \
             for EPOLLIN.",
            "正确：S1 的 3 是监听套接字，1 是 EPOLLIN。accept 之后注册客户端，关注 EPOLLIN。",
        ]
    };
    stage.step(
        ["2. S1: a client connects, and the list is [(3, 1)]", en],
        ["2. S1：客户端连接，「epoll_list打印为[ (3,1)]」", zh],
    )?;
    let mut a = stage.connects('A')?;
    let [en, zh] = if edge {
        [
            "Right for S1's program, which watches for one thing at a time: 1, EPOLLIN, to \
             receive; then epoll_ctl, and 4, EPOLLOUT, to answer. (`lab tour epoll` shows the \
             two.) This one registered both for good: one event says both, 1 + 4, and nothing is \
             switched.",
            "对 S1 的程序来说正确，它每次只关注一件事：先是 1，即 EPOLLIN，接收；再用 epoll_ctl 换成 4，\
             即 EPOLLOUT，回复。（`lab tour epoll` 里能看到这两次。）这个程序一次注册了两样，\
             一个事件就都报告了，即 1 + 4，不用切换。",
        ]
    } else {
        [
            "Right: 5 is the client; 1 is EPOLLIN, and it is received; epoll_ctl switches; 4 is \
             EPOLLOUT, and it is answered; epoll_ctl switches back.",
            "正确：5 是客户端；1 是 EPOLLIN，接收；用 epoll_ctl 切换；4 是 EPOLLOUT，回复；再切换回来。",
        ]
    };
    stage.step(
        ["3. S1: it sends, and the list is [(5, 1)], then [(5, 4)]", en],
        ["3. S1：客户端发送，「第一次打印为[ (5,1)]」「第二次打印为[(5,4)]」", zh],
    )?;
    stage.asks(&mut a, "hello")?;
    stage.receives(&mut a, "hello")?;
    stage.step(
        [
            "4. S1: three variables have to be kept",
            "Incomplete: the connections, their addresses, what they sent; and a fourth, how much \
             of the answer is sent already, because send may take a part of it. S1 keeps a \
             dictionary for each; here one struct owns all four, and goes when the client goes.",
        ],
        [
            "4. S1「需要有三个变量」",
            "不完整：连接、地址、收到的数据；还缺第四个，回复已经发到哪里，因为 send 可能只收下一部分。\
             S1 为每样各备一个字典；这里四样同属一个结构体，客户端一断开就一同丢弃。",
        ],
    )?;
    stage.asks(&mut a, "again")?;
    stage.receives(&mut a, "again")?;
    stage.closes(a)
}

fn two_clients(stage: &mut Stage) -> Result<(), Ended> {
    nobody(stage)?;
    stage.step(["A connects, then B", ""], ["A 连接，然后 B 连接", ""])?;
    let mut a = stage.connects('A')?;
    let mut b = stage.connects('B')?;
    stage.step(
        ["B sends", "A came first and is idle. No other client waits for it."],
        ["B 发送", "A 先连上，却是空闲的。没有客户端因此要等。"],
    )?;
    stage.asks(&mut b, "hi")?;
    stage.receives(&mut b, "hi")?;
    stage.step(["A sends", ""], ["A 发送", ""])?;
    stage.asks(&mut a, "hello")?;
    stage.receives(&mut a, "hello")?;
    stage.step(["They leave", ""], ["断开", ""])?;
    stage.closes(a)?;
    stage.closes(b)
}

fn one_at_a_time(stage: &mut Stage) -> Result<(), Ended> {
    nobody(stage)?;
    stage.step(["A connects", ""], ["A 连接", ""])?;
    let mut a = stage.connects('A')?;
    stage.step(
        [
            "B connects and sends",
            "It can: the kernel completes the connection, puts it into the accept queue and takes \
             the bytes. The server waits for A and knows nothing of B.",
        ],
        [
            "B 连接并发送",
            "连得上，也发得出：内核建立连接，放进全连接队列，字节也收下了。服务端在等 A，不知道有 B。",
        ],
    )?;
    let mut b = stage.waits_to_be_accepted('B')?;
    stage.sends(&mut b, "hi")?;
    stage.receives_nothing(&b)?;
    stage.step(["A sends", ""], ["A 发送", ""])?;
    stage.asks(&mut a, "hello")?;
    stage.receives(&mut a, "hello")?;
    stage.step(
        ["A leaves, and B is served", "The server accepts B, and finds what it sent long ago."],
        ["A 断开，轮到 B", "服务端接受 B，它早先发来的数据已经在那里了。"],
    )?;
    stage.closes(a)?;
    stage.answers(&b)?;
    stage.receives(&mut b, "hi")?;
    stage.closes(b)
}

fn nobody(stage: &mut Stage) -> Result<(), Ended> {
    stage.step(["The server starts", ""], ["服务端启动", ""])?;
    stage.started()
}
