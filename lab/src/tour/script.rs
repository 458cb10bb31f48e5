//! What the clients do, and what to look for in the server's lines meanwhile.

use super::stage::Stage;
use judge::check::programs::Program;
use judge::check::subject::Gives;
use judge::ended::Ended;
use judge::language::Language;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Script {
    /// The five steps of the select server in note S3, and two clients.
    FiveSteps,
    /// What note S1 observes of an epoll server, told of each event once, or as long as it lasts.
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
                ["the five steps of a turn, and two clients", "一轮的五个步骤，外加两个客户端"]
            }
            Self::FourObservations { .. } => {
                ["what epoll reports, and when", "epoll 报告什么，什么时候报告"]
            }
            Self::TwoClients => ["two clients", "两个客户端"],
            Self::OneAtATime => {
                ["two clients, one after the other", "两个客户端，前一个断开才轮到后一个"]
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
            "inputs holds the listener, outputs is empty, and there is no queue yet. select sleeps.",
        ],
        [
            "1. 循环",
            "inputs 里只有监听套接字，outputs 为空，还没有队列。程序阻塞在 select 上。",
        ],
    )?;
    stage.started()?;
    stage.step(
        [
            "2. A client asks to connect",
            "readable holds the listener, writable is empty. accept makes a new descriptor for the \
             client: it joins inputs and gets a queue, empty. outputs stays as it was.",
        ],
        [
            "2. 客户端请求连接",
            "readable 里是监听套接字，writable 为空。accept 为客户端得到一个新的描述符：它进入 inputs，\
             并有了自己的队列，队列是空的。outputs 仍然为空。",
        ],
    )?;
    let mut a = stage.connects('A')?;
    stage.step(
        [
            "3. It sends",
            "readable holds the client, writable is empty. recv takes the bytes, and they go into \
             the client's queue. Because something is queued, the client joins outputs: there \
             stands the socket, and the data is in the queue.",
        ],
        [
            "3. 客户端发来数据",
            "readable 里是客户端，writable 为空。recv 收下的字节放进它的队列。队列里有了内容，\
             客户端才进入 outputs：进 outputs 的是套接字，数据在队列里。",
        ],
    )?;
    stage.sends(&mut a, "hello")?;
    stage.hear(&[&["received", "waiting for"]], Some(&a))?;
    stage.step(
        [
            "4. It is answered",
            "readable is empty, writable holds the client. What wakes select is room in the send \
             buffer, and that is nearly always there. The queue is sent. Now that it is empty, the \
             client leaves outputs; otherwise select would return at once, again and again.",
        ],
        [
            "4. 回复",
            "readable 为空，writable 里是客户端。唤醒 select 的是发送缓冲区有空间，而这几乎总是成立。\
             队列里的数据发出去，队列空了，客户端就离开 outputs；否则 select 会一次又一次立即返回。",
        ],
    )?;
    stage.hear(&[&["output queue for {P} is empty"]], Some(&a))?;
    stage.step(
        [
            "5. And round again",
            "inputs holds the listener and the client, outputs is empty, so is the queue. select \
             sleeps until there is a new client (step 2) or more data (step 3). The answer waits \
             in the client's own receive buffer until the client reads it.",
        ],
        [
            "5. 下一轮",
            "inputs 里是监听套接字和客户端，outputs 为空，队列是空的。程序又阻塞在 select 上：来了新客户端，\
             就是第 2 步；来了数据，就是第 3 步。回复停在客户端自己的接收缓冲区里，等它来读。",
        ],
    )?;
    stage.hear(&[&["waiting for"]], None)?;
    stage.receives(&mut a, "hello")?;

    stage.step(
        ["Two clients, one thread: B connects", "Step 2 again. inputs has three members now."],
        ["两个客户端，一个线程：B 连接", "又是第 2 步。inputs 里现在有三个套接字。"],
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
             先发送的是 B，先连接的是 A：集合只说谁就绪，不说从什么时候起就绪。",
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
            "They disconnect",
            "A client that has closed its end is readable: recv returns 0 bytes, which is a success \
             and no error. The client leaves inputs, and its queue is dropped with it.",
        ],
        [
            "断开",
            "客户端关闭了连接，套接字就是可读的：recv 返回 0 字节。这是成功，不是错误。\
             它离开 inputs，队列也一同丢弃。",
        ],
    )?;
    stage.closes(a)?;
    stage.closes(b)
}

fn four_observations(stage: &mut Stage, edge: bool) -> Result<(), Ended> {
    stage.step(
        [
            "1. No client yet",
            "Making the epoll instance was a call that returned at once, and so was registering the \
             listener. The one call that sleeps is epoll_wait.",
        ],
        [
            "1. 还没有客户端",
            "创建 epoll 实例的调用早就返回了，注册监听套接字的也一样。程序阻塞在 epoll_wait 上，只有这个调用会阻塞。",
        ],
    )?;
    stage.started()?;
    stage.sleeps()?;
    let [en, zh] = if edge {
        [
            "The event says EPOLLIN, of the listener. accept, and the client is registered, here \
             for EPOLLOUT too. That counts as an edge: the next wait says that there is room to \
             send, and does not say it again.",
            "事件是监听套接字的 EPOLLIN。accept 之后注册客户端；这里同时注册了 EPOLLOUT，\
             注册本身就会触发一次：下一次等待报告发送缓冲区有空间，以后不再重复。",
        ]
    } else {
        [
            "The event says EPOLLIN, of the listener. accept, and the client is registered, for \
             EPOLLIN.",
            "事件是监听套接字的 EPOLLIN。accept 之后注册客户端，关注 EPOLLIN。",
        ]
    };
    stage.step(["2. A client connects", en], ["2. 客户端连接", zh])?;
    let mut a = stage.connects('A')?;
    let [en, zh] = if edge {
        [
            "This server registered both for good. One event says both, EPOLLIN and EPOLLOUT, and \
             nothing is switched. (`lab tour epoll` shows a server that watches for one thing at a \
             time: two events, and a call of epoll_ctl before each.)",
            "这个程序一次注册了两样：一个事件同时报告 EPOLLIN 和 EPOLLOUT，不用切换。\
             （`lab tour epoll` 里的程序每次只关注一件事：要两个事件，每个之前都要调用一次 epoll_ctl。）",
        ]
    } else {
        [
            "EPOLLIN: the server receives, and epoll_ctl switches what is watched. EPOLLOUT: it \
             answers, and epoll_ctl switches back.",
            "EPOLLIN：接收，再用 epoll_ctl 切换关注的事件。EPOLLOUT：回复，再切换回来。",
        ]
    };
    stage.step(["3. It sends", en], ["3. 客户端发送", zh])?;
    stage.asks(&mut a, "hello")?;
    stage.receives(&mut a, "hello")?;
    stage.step(
        [
            "4. What has to be kept for a client",
            "Its connection, its address, what it sent, and how much of the answer is sent already, \
             because send may take only a part. One struct owns all four, and is dropped when the \
             client disconnects.",
        ],
        [
            "4. 每个客户端要保存什么",
            "连接、地址、收到的数据，还有回复已经发到哪里，因为 send 可能只发走一部分。\
             四样同属一个结构体，客户端断开时一同丢弃。",
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
        ["B sends", "A connected first and is idle. B does not have to wait for it."],
        ["B 发送", "A 先连接，但一直空闲。B 不用等它。"],
    )?;
    stage.asks(&mut b, "hi")?;
    stage.receives(&mut b, "hi")?;
    stage.step(["A sends", ""], ["A 发送", ""])?;
    stage.asks(&mut a, "hello")?;
    stage.receives(&mut a, "hello")?;
    stage.step(["They disconnect", ""], ["断开", ""])?;
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
            "连得上，也发得出：内核建立连接，放进全连接队列，字节也收下了。服务端阻塞着等 A，不知道有 B。",
        ],
    )?;
    let mut b = stage.waits_to_be_accepted('B')?;
    stage.sends(&mut b, "hi")?;
    stage.receives_nothing(&b)?;
    stage.step(["A sends", ""], ["A 发送", ""])?;
    stage.asks(&mut a, "hello")?;
    stage.receives(&mut a, "hello")?;
    stage.step(
        [
            "A disconnects, and B is served",
            "The server accepts B, and finds what it sent long ago.",
        ],
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
