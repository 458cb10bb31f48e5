//! Every word in the figures, in both languages: the one table to read when a term changes. Those
//! of the timelines and of the scaling figure are with `lab`, which draws them for everyone.

use lab::drawing::canvas::Label;
pub use lab::drawing::labels::*;

// two-phases
pub const PHASES_TITLE: Label = both(
    "One read, two phases: who waits and who copies, in four I/O models",
    "一次读取，两个阶段：四种 I/O 模型里谁在等待，谁在拷贝",
);
pub const PHASE_1: Label = both("1  waiting for the data", "1  等待数据");
pub const PHASE_2: Label = both("2  copying", "2  拷贝数据");
pub const ARRIVES: Label = both("the data arrives", "数据到达");
pub const BLOCKING: Label = both("blocking I/O", "阻塞 I/O");
pub const NONBLOCKING: Label = both("non-blocking I/O", "非阻塞 I/O");
pub const MULTIPLEXING: Label = both("I/O multiplexing", "I/O 多路复用");
pub const ASYNCHRONOUS: Label = both("asynchronous I/O", "异步 I/O");
pub const PROCESS: Label = both("process", "进程");
pub const KERNEL: Label = both("kernel", "内核");
pub const SLEEPS_IN_RECV: Label = both("asleep in recv", "在 recv 中睡眠");
pub const SLEEPS_IN_SELECT: Label =
    both("asleep in select, for many sockets at once", "在 select 中睡眠，同时等多个套接字");
pub const ASKS: Label = both("awake, and asks again and again", "醒着，一遍又一遍地问");
pub const OWN_WORK: Label = both("goes on with its own work", "继续做自己的事");
pub const NOT_YET: Label = both("no data yet", "数据还没到");
pub const RECV_COPIES: Label = both("recv copies", "recv 拷贝");
pub const READABLE: Label = both("readable", "可读");
pub const SUBMIT: Label = both("submit", "提交");
pub const COMPLETED: Label = both("completed", "完成");
pub const KEY_SLEEPS: Label = both("the process sleeps", "进程睡眠");
pub const KEY_RUNS: Label = both("the process runs", "进程运行");
pub const KEY_ASKS: Label = both("a question, answered at once", "问一次，立刻得到回答");
pub const KEY_COPY: Label =
    both("the copy (tall: the process is held up by it)", "拷贝（高的：进程要等它做完）");

// asking
pub const ASKING_TITLE: Label = both(
    "The same message, asked for without a pause and with one: what burns the CPU, and what waits",
    "同一条消息，不停地问，与隔一段时间问一次：谁在烧 CPU，谁在等",
);
pub const WITHOUT_PAUSE: Label = both("asking without a pause", "不停地问");
pub const WITH_PAUSE: Label = both("asking with a pause", "隔一段时间问一次");
pub const PAUSE: Label = both("pause: asleep", "停顿：睡眠");
pub const WAITS_FOR_LOOK: Label = both("message waits", "消息在等");
pub const CPU: Label = both("CPU in use", "占用 CPU");

// select-loop
pub const LOOP_TITLE: Label = both(
    "One turn of the select server's loop, from the three sets to the message queues",
    "select 服务端循环的一轮：从三个集合到消息队列",
);
pub const ASKED: Label = both("what to watch", "关注什么");
pub const READY: Label = both("what is ready", "什么就绪了");
pub const DONE: Label = both("what the server does", "服务端做什么");
pub const IN_INPUTS: Label = both("listener and clients", "监听套接字和客户端");
pub const IN_OUTPUTS: Label = both("clients with a message", "有消息待发的客户端");
pub const IN_EXCEPTIONAL: Label = both("clients", "客户端");
pub const SLEEPS: Label = both("sleeps until", "一直睡眠，");
pub const UNTIL_READY: Label = both("one is ready", "直到有就绪的");
pub const LISTENER_READY: Label = both("listener: accept", "监听套接字：accept");
pub const CLIENT_READY: Label = both("client: recv", "客户端：recv");
pub const ROOM_TO_SEND: Label = both("client: send", "客户端：send");
pub const URGENT: Label = both("client: urgent data", "客户端：紧急数据");
pub const QUEUE: Label = both("message", "消息");
pub const QUEUE_2: Label = both("queue", "队列");
pub const FOR_EACH: Label = both("one for each", "每个客户端");
pub const FOR_EACH_2: Label = both("client", "一个");
pub const NEXT_TURN: Label = both(
    "next turn: three new sets, the new client among the inputs",
    "下一轮：重新准备三个集合，新客户端也在 inputs 里",
);
pub const WATCH_WRITABLE: Label = both(
    "something queued: the client is among the outputs",
    "队列里有消息：客户端就在 outputs 里",
);

// select-bitmap
pub const BITMAP_TITLE: Label = both(
    "A descriptor set before and after select: the kernel writes its result over what was \
     passed in",
    "select 前后的描述符集合：内核把结果写回传入的集合",
);
pub const BEFORE: Label = both("before", "调用前");
pub const BEFORE_2: Label = both("passed in", "传入");
pub const AFTER: Label = both("after", "调用后");
pub const AFTER_2: Label = both("the result", "结果");
pub const LISTENER: Label = both("listener", "监听");
pub const CLIENT_C: Label = both("client C", "客户端 C");
pub const OVERWRITES: Label =
    both("the kernel writes over the same 128 bytes:", "内核改写同样的 128 字节：");
pub const OVERWRITES_2: Label = both("only B has sent something", "只有 B 发来了数据");
pub const LOOKED_AT: Label =
    both("nfds = 7: bits 0 to 6 are looked at", "nfds = 7：只查看第 0 到 6 位");
pub const NO_PLACE: Label = both("no place for 1024", "1024 号放不下");
pub const BUILD_ANEW: Label = both(
    "A, C and the listener are gone from the set: build it anew before every call.",
    "集合里已经没有 A、C 和监听套接字：每次调用前都要重新准备。",
);

// poll-list (with clients A to C of the timelines and select-bitmap, and the listener of chat-room)
pub const ENTRIES_TITLE: Label = both(
    "The list that poll takes: one entry for each descriptor, with what was asked \
     and the result in two fields",
    "poll 的列表：每个描述符一个表项，要求和结果各占一个字段",
);
pub const QUESTION: Label = both("what was asked: the server writes", "要求：服务端写");
pub const ANSWER: Label = both("the result: the kernel writes", "结果：内核写");
pub const NOBODY_NEW: Label = both("nobody new", "没有新客户端");
pub const HAS_SENT: Label = both("has sent something", "发来了数据");
pub const HAS_QUEUE: Label = both("answers queued, room to send", "有数据待发，有空间");
pub const HAS_RESET: Label = both("has reset; no number is too high", "已重置；编号再大也行");
pub const RETURNS_3: Label = both(
    "poll returns 3: so many are ready. Which ones, the list says.",
    "poll 返回 3：有三个表项就绪；是哪三个，看列表。",
);
pub const STAYS: Label = both(
    "POLLERR and POLLHUP were not asked for: they always come.",
    "POLLERR 和 POLLHUP 没有问也会报告。",
);

// chat-room
pub const CHAT_TITLE: Label = both(
    "The chat room: the keyboard is one more descriptor in the same select",
    "聊天室：键盘只是同一个 select 里的又一个描述符",
);
pub const KEYBOARD: Label = both("keyboard", "键盘");
pub const STDIN: Label = both("standard input", "标准输入");
pub const LISTENING: Label = both("listener", "监听套接字");
pub const ONE_WAIT: Label = both("the only place", "唯一");
pub const ONE_WAIT_2: Label = both("that waits", "等待的地方");
pub const LINE_TYPED: Label = both("a line typed", "输入了一行");
pub const LINE_TYPED_2: Label = both("into that client's queue", "放进那个客户端的队列");
pub const NEWCOMER: Label = both("a new client: accept", "新客户端：accept");
pub const NEWCOMER_2: Label = both("gets a number of its own", "得到自己的编号");
pub const MESSAGE: Label = both("a message: recv", "来了消息：recv");
pub const MESSAGE_2: Label = both("shown with the sender's number", "连同发送者的编号一起显示");
pub const ROOM: Label = both("room to send: send", "可以发送：send");
pub const ROOM_2: Label = both("what is in the queue", "发出队列里的内容");
pub const IN_QUEUE: Label = both("queue", "队列");
pub const NOBODY_WAITS: Label = both(
    "While the operator thinks, everybody else is served.",
    "操作员思考的时候，其他人照常得到服务。",
);

// coroutine-switch
pub const SWITCH_TITLE: Label = both(
    "Two tasks on one thread: A stops and leaves its waker, B runs, nobody can go on, an \
     event wakes A",
    "一个线程上的两个任务：A 停下并留下唤醒器，B 运行，谁也走不下去，事件唤醒 A",
);
pub const TASK_A: Label = both("task A", "任务 A");
pub const TASK_B: Label = both("task B", "任务 B");
pub const EXECUTOR: Label = both("executor", "执行器");
pub const PLACE_A: Label = both("A's descriptor", "A 的描述符");
pub const PLACE_B: Label = both("B's descriptor", "B 的描述符");
pub const WAKER_A: Label = both("waker of A", "A 的唤醒器");
pub const WAKER_B: Label = both("waker of B", "B 的唤醒器");
pub const STOPPED: Label = both("stopped; its variables stay", "停着，变量都在");
pub const IN_READY_QUEUE: Label = both("in the ready queue", "在就绪队列里");
pub const IN_LINE: Label = both("in line", "排队");
pub const GOES_ON: Label = both("after the .await", ".await 之后");
pub const NEXT: Label = both("who?", "谁？");
pub const STEP_1: Label = both("1  leaves its waker", "1  留下唤醒器");
pub const STEP_2: Label = both("2  waits for all of them", "2  一起等");
pub const STEP_3: Label = both("3  the event wakes A", "3  事件唤醒 A");
pub const DATA_A: Label = both("data for A", "A 的数据到了");
pub const SAME_THREAD: Label = both(
    "One thread: at each moment one lane runs. Only select() sleeps.",
    "只有一个线程：任何时刻只有一行在运行。会阻塞的只有 select()。",
);

// two-families
pub const FAMILIES_TITLE: Label = both(
    "One interface, two families: who keeps the list of what is registered",
    "一个接口，两个家族：已注册的列表由谁保存",
);
pub const ONE_INTERFACE: Label = both("one interface", "一个接口");
pub const HANDED_OVER: Label =
    both("the list is handed over at each wait", "每次等待都交出整个列表");
pub const KERNEL_KEEPS: Label = both("the kernel keeps the list", "列表保存在内核里");
pub const NOTHING: Label = both("nothing to tell the kernel", "不必告诉内核");
pub const ALL_OF_THEM: Label = both("all of them", "全部");
pub const WHO_IS_READY: Label = both("who is ready", "谁就绪了");
pub const KEEPS_NOTHING: Label = both("remembers nothing after it", "调用之后什么也不记得");
pub const ITS_LIST: Label = both("its list", "内核的列表");
// epoll-lists
pub const EPOLL_TITLE: Label = both(
    "What epoll keeps in the kernel: whom to watch, and who is ready",
    "epoll 在内核里保存什么：关注谁，谁已就绪",
);
pub const INTEREST_LIST: Label = both("interest list", "关注列表");
pub const KEPT: Label = both("kept from call to call", "一直留在内核里");
pub const READY_LIST: Label = both("ready list", "就绪列表");
pub const ADDED_AT_END: Label = both("each is added at the end", "新就绪的加在末尾");
pub const MAKES_LISTS: Label = both("makes the two lists, empty", "建立两个空列表");
pub const TELLS_ONCE: Label = both("once, and when it changes", "只告知一次，有变化再告知");
pub const SLEEPS_UNTIL_LISTED: Label =
    both("sleeps until somebody is ready", "一直阻塞，直到有就绪的");
pub const CLIENT_D: Label = both("client D", "客户端 D");
pub const CALLBACK: Label = both("data arrives, a callback", "数据到达，由回调函数");
pub const CALLBACK_2: Label = both("writes the client down", "把客户端记在末尾");
pub const BATCH: Label = both("the batch", "这一批事件");
pub const COPIED_OUT: Label = both("only those that are ready are copied out", "只拷出就绪的");
pub const NOBODY_ASKED: Label = both("the others are not even looked at", "其余的看都不看");

// who-waits
pub const WHO_WAITS_TITLE: Label = both(
    "Four blocking servers and their clients: who sleeps for whom, and who waits",
    "四个阻塞的服务端和它们的客户端：谁阻塞着等谁，谁在排队",
);
pub const ASLEEP_IN: Label = both("asleep in", "阻塞在哪个调用上");
pub const NOT_ACCEPTED: Label = both("in the accept queue", "在全连接队列里");
pub const RECV_A: Label = both("recv, for A", "recv：等 A");
pub const RECV_B: Label = both("recv, for B", "recv：等 B");
pub const RECV_C: Label = both("recv, for C", "recv：等 C");
pub const HAND_OVER: Label = both("hand over C", "移交 C");
pub const KEY_THREAD: Label = both("a thread, asleep in a blocking call", "线程，阻塞在一个调用上");
pub const KEY_PROCESS: Label = both("a process around it", "它所在的进程");
pub const KEY_WAITS: Label = both("a client that is not served yet", "还没有得到服务的客户端");

// uring-queues
pub const URING_TITLE: Label = both(
    "io_uring: two queues and a ring of buffers that program and kernel share, and one system call",
    "io_uring：程序与内核共享的两个队列和一个缓冲区环，以及一次系统调用",
);
pub const URING_PROGRAM: Label = both("program", "程序");
pub const URING_SHARED: Label = both("memory that both see", "双方都看得见的内存");
pub const SUBMISSION_QUEUE: Label = both("submission queue", "提交队列");
pub const COMPLETION_QUEUE: Label = both("completion queue", "完成队列");
pub const BUFFER_RING: Label = both("ring of buffers", "缓冲区环");
pub const WRITES_REQUESTS: Label = both("writes requests", "写入请求");
pub const WRITES_REQUESTS_2: Label = both("no system call", "不用系统调用");
pub const TAKES_REQUESTS: Label = both("takes requests", "取走请求");
pub const TAKES_REQUESTS_2: Label = both("and keeps them under way", "让它们进行下去");
pub const READS_RESULTS: Label = both("reads results", "读取结果");
pub const READS_RESULTS_2: Label = both("no system call", "不用系统调用");
pub const WRITES_RESULTS: Label = both("writes results", "写入结果");
pub const WRITES_RESULTS_2: Label = both("5 bytes, in buffer 4", "5 字节，在 4 号缓冲区");
pub const PUTS_BACK: Label = both("lends buffers", "借出缓冲区");
pub const PUTS_BACK_2: Label = both("again, when it has read them", "读完了再借出");
pub const FILLS_BUFFERS: Label = both("picks one, fills it", "挑一个，填好");
pub const FILLS_BUFFERS_2: Label = both("when something has come", "在数据到达时");
pub const ONE_CALL: Label = both(
    "the one system call of a turn: take what is there, and wake me when something is done",
    "一轮中唯一的系统调用：取走这些请求，有完成的就唤醒我",
);

// side-by-side
pub const SIDE_TITLE: Label = both(
    "The same message in five servers: in which call each waits, who copies, and when \
     the client has its answer",
    "同一条消息，五个服务端：各自阻塞在哪个调用上，由谁拷贝，客户端何时得到回复",
);
pub const PHASE_2_AND_ANSWER: Label = both("2  copying, then the answer", "2  拷贝数据，然后回复");
pub const SIDE_TO_SCALE: [Label; 2] = [
    both(
        "To scale from the moment of sending, but no race: strace stops the program at each call, \
         which makes",
        "从发出消息的一刻起按比例画，但长短不代表快慢：strace 让程序在每次调用时停一下，",
    ),
    both("calls and code slower than they are.", "调用和代码都比平时慢。"),
];
