//! What a second loop on a second core is worth.

use super::{Claim, Experiment, Verdict};

pub(super) const LOOPS_CORES: Experiment = Experiment {
    name: "loops_cores",
    does: [
        "`loops --how own` with one loop and with two: messages a second, when the load costs next \
         to nothing, and when it costs as much as the server",
        "`loops --how own`，一个循环和两个循环：负载几乎不用 CPU 时、用得和服务端一样多时，每秒多少条消息",
    ],
    claims: &[
        Claim::asked(
            [
                "a second loop on a second core carries nearly twice as much",
                "再开一个循环，用上第二个核，能处理将近两倍的消息",
            ],
            Verdict::Right,
        ),
        Claim::asked(["every load test shows it", "随便怎样压测都看得出来"], Verdict::Wrong),
    ],
    run: linux::run,
};

#[cfg(target_os = "linux")]
mod linux {
    use crate::experiments::looks::micros;
    use crate::measure::{Load, Series, Target, load};
    use crate::{Finding, Found, Unable};
    use judge::check::server::Server;
    use judge::dial;
    use judge::process::observe;
    use std::io::{self, Read, Write};
    use std::net::SocketAddr;
    use std::thread;
    use std::time::{Duration, Instant};

    const ROUNDS: usize = 3;
    /// The server pays a recv and a send for each.
    const MESSAGE: usize = 16;
    const LONGER: usize = 64;
    const CLIENTS: usize = 16;
    /// How many bytes a client of the cheap load has sent and not got back: work for the server
    /// until the client looks again.
    const UNDER_WAY: usize = 64 << 10;
    const PAUSE: Duration = Duration::from_millis(5);
    const WARM_UP: Duration = Duration::from_millis(300);
    const TIME: Duration = Duration::from_millis(700);

    /// Rounds with so many loops.
    #[derive(Default)]
    struct Figures {
        /// Messages a second.
        carried: Series,
        /// Microseconds of CPU for a message.
        cost: Series,
        /// How many CPUs the loops had, and how many they would have used.
        had: Series,
        wanted: Series,
        /// The same of the load: microseconds for a message, and how many CPUs.
        load_cost: Series,
        load: Series,
    }

    pub(super) fn run() -> Found {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        if cpus < 2 {
            return Err(Unable::here("there is one CPU here", "这里只有一个 CPU"));
        }
        let (mut one, mut two) = (Figures::default(), Figures::default());
        let (mut one_dear, mut two_dear) = (Figures::default(), Figures::default());
        // In turn, so that both have the same machine.
        for _ in 0..ROUNDS {
            round(1, &mut one, MESSAGE, cheap_load)?;
            round(2, &mut two, MESSAGE, cheap_load)?;
            round(1, &mut one_dear, LONGER, dear_load)?;
            round(2, &mut two_dear, LONGER, dear_load)?;
        }
        let factor = |one: &Figures, two: &Figures| two.carried() / one.carried();
        let (cheap, dear) = (factor(&one, &two), factor(&one_dear, &two_dear));
        // What they would carry, each loop with a CPU of its own, whatever else this machine runs.
        let alone = 2.0 * one.cost() / two.cost();
        let bound = bound(cpus, one_dear.cost(), median(&one_dear.load_cost));
        let (load, wanted, had) = (median(&two.load), median(&two.wanted), median(&two.had));
        let [carried, carried_by_two] = [&one, &two].map(Figures::millions);
        let [dear_carried, dear_by_two] = [&one_dear, &two_dear].map(Figures::millions);
        let [cost, cost_of_two] = [&one, &two].map(|figures| micros(figures.cost()));
        let (dear_cost, load_cost) = (micros(one_dear.cost()), micros(median(&one_dear.load_cost)));
        Ok(vec![
            Finding::new(
                wanted > 1.8 && alone >= 1.6,
                format!(
                    "messages of {MESSAGE} bytes, hundreds with one send, so that the load takes \
                     {load:.2} CPUs: {carried} million a second with one loop, {carried_by_two} \
                     with two: {cheap:.2} ×. The two had {had:.2} CPUs. A message costs them {cost} of \
                     CPU, and {cost_of_two}: with a CPU for each loop {alone:.2} ×"
                ),
                format!(
                    "{MESSAGE} 字节的消息，一次 send 发几百条，负载只占 {load:.2} 个 CPU：一个循环每秒 \
                     {carried} 百万条，两个 {carried_by_two}，{cheap:.2} 倍。两个循环得到 {had:.2} 个 CPU。\
                     每条消息用 CPU {cost}，两个循环时 {cost_of_two}：各占一个 CPU 时是 {alone:.2} 倍"
                ),
            ),
            Finding::new(
                bound < 1.6,
                format!(
                    "50 clients, one message of {LONGER} bytes at a time: {dear_carried} million a \
                     second, with two loops {dear_by_two}: {dear:.2} ×. A message costs the loop \
                     {dear_cost}, and the load {load_cost}: {cpus} CPUs cannot give more than \
                     {bound:.2} ×"
                ),
                format!(
                    "50 个客户端，每次一条 {LONGER} 字节的消息：每秒 {dear_carried} 百万条，两个循环 \
                     {dear_by_two}，{dear:.2} 倍。每条消息，循环用 CPU {dear_cost}，负载用 {load_cost}：\
                     {cpus} 个 CPU 最多只能给 {bound:.2} 倍"
                ),
            ),
        ])
    }

    /// How many times the messages of one loop two can carry at most, with a load that is one
    /// thread, on so many CPUs. What a message costs: microseconds of the loop, and of the load.
    pub(super) fn bound(cpus: usize, loop_cost: f64, load_cost: f64) -> f64 {
        let all = cpus as f64 / (loop_cost + load_cost);
        let one = (1.0 / loop_cost).min(1.0 / load_cost);
        let two = (2.0 / loop_cost).min(1.0 / load_cost).min(all);
        two / one.min(all)
    }

    fn median(series: &Series) -> f64 {
        series.median().expect("there were rounds")
    }

    impl Figures {
        fn carried(&self) -> f64 {
            median(&self.carried)
        }

        fn millions(&self) -> String {
            format!("{:.2}", self.carried() / 1e6)
        }

        fn cost(&self) -> f64 {
            median(&self.cost)
        }
    }

    /// How a load tells what was answered between two marks, and in what time.
    type Loading = fn(SocketAddr, &mut dyn FnMut()) -> Result<(u64, Duration), Unable>;

    /// With a message of at most so many bytes for each recv.
    fn round(
        loops: usize,
        figures: &mut Figures,
        message: usize,
        loading: Loading,
    ) -> Result<(), Unable> {
        let target = Target::program("loops_own")?
            .with("--loops", &loops.to_string())
            .with("--chunk", &message.to_string());
        let server = target.start()?;
        let mut marks = Vec::new();
        let (messages, time) = loading(server.addr, &mut || marks.push(Times::of(&server)))?;
        let [Some(before), Some(after)] = marks[..] else { return Err(not_seen()) };
        let (cpus, time) = (|spent: Duration| spent.as_secs_f64() / time.as_secs_f64(), time);
        let spent = after.server.saturating_sub(before.server);
        let in_line = after.in_line.saturating_sub(before.in_line);
        figures.carried.add(messages as f64 / time.as_secs_f64());
        figures.cost.add(spent.as_secs_f64() * 1e6 / messages.max(1) as f64);
        figures.had.add(cpus(spent));
        figures.wanted.add(cpus(spent + in_line));
        let load = after.load.saturating_sub(before.load);
        figures.load_cost.add(load.as_secs_f64() * 1e6 / messages.max(1) as f64);
        figures.load.add(cpus(load));
        Ok(())
    }

    /// CPU time of the server and of this process, and the time in which the server's threads
    /// stood in line for a CPU.
    #[derive(Clone, Copy)]
    struct Times {
        server: Duration,
        in_line: Duration,
        load: Duration,
    }

    impl Times {
        fn of(server: &Server) -> Option<Self> {
            let pid = server.process.pid();
            Some(Self {
                server: observe::cpu_clock(pid)?,
                in_line: observe::cpu_wait(pid)?,
                load: observe::cpu_clock(0)?,
            })
        }
    }

    /// Clients that have many messages under way. They are looked at now and then, not at each
    /// answer: one recv takes hundreds of answers, and one send replaces them.
    fn cheap_load(addr: SocketAddr, mark: &mut dyn FnMut()) -> Result<(u64, Duration), Unable> {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let client = dial::connect(addr)?;
            client.set_nonblocking(true)?;
            clients.push((client, 0));
        }
        let mut buffer = vec![b'x'; UNDER_WAY];
        let mut go_on = |time: Duration| -> io::Result<(u64, Duration)> {
            let (began, mut answered) = (Instant::now(), 0);
            while began.elapsed() < time {
                for (client, under_way) in &mut clients {
                    let received = so_far(client.read(&mut buffer))?;
                    *under_way -= received;
                    answered += received;
                    *under_way += so_far(client.write(&buffer[*under_way..]))?;
                }
                thread::sleep(PAUSE);
            }
            Ok(((answered / MESSAGE) as u64, began.elapsed()))
        };
        go_on(WARM_UP)?;
        mark();
        let counted = go_on(TIME)?;
        mark();
        Ok(counted)
    }

    /// What a call that does not wait could take.
    fn so_far(taken: io::Result<usize>) -> io::Result<usize> {
        taken.or_else(|error| if common::would_block(&error) { Ok(0) } else { Err(error) })
    }

    /// Clients that wait for each answer, as most load tests have them.
    fn dear_load(addr: SocketAddr, mark: &mut dyn FnMut()) -> Result<(u64, Duration), Unable> {
        let answers =
            load(addr, Load { clients: 50, size: LONGER, pipeline: 1, time: TIME }, mark)?;
        Ok((answers.messages, answers.time))
    }

    fn not_seen() -> Unable {
        Unable::here(
            "the CPU time of another process is not seen here",
            "在这里看不到别的进程用了多少 CPU",
        )
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use crate::{Found, Unable};

    pub(super) fn run() -> Found {
        Err(Unable::here("this system has no epoll", "这个系统没有 epoll"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_load_that_costs_as_much_as_the_loop_leaves_a_second_one_nothing() {
        let near = |bound: f64, expected: f64| assert!((bound - expected).abs() < 0.01, "{bound}");
        near(super::linux::bound(2, 5.0, 5.0), 1.0);
        near(super::linux::bound(8, 5.0, 5.0), 1.0);
        near(super::linux::bound(2, 5.0, 0.1), 1.96);
        near(super::linux::bound(8, 5.0, 0.1), 2.0);
        // One CPU alone, if the two share it.
        near(super::linux::bound(1, 5.0, 5.0), 1.0);
    }

    #[test]
    fn a_second_loop_carries_more_when_the_load_leaves_it_a_cpu() {
        crate::experiments::confirm_where_seen(&super::LOOPS_CORES);
    }
}
