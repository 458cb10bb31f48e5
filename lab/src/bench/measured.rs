//! One server in all rounds.

use claims::measure::strace::Strace;
use claims::measure::{Cpus, Load, Series, Target, crowd, exchange, load};
use judge::check::subject::Gives;
use judge::process::observe;
use std::time::Duration;

/// Silent clients whose memory is measured: enough to be seen beside a page of 4 KiB, and few
/// enough for a process each, or a pool.
const FEW: usize = 20;
pub(super) const MANY: usize = 200;

/// How every server is measured.
pub(super) struct Setup {
    pub load: Load,
    pub idle: usize,
    pub cpus: Option<Cpus>,
}

/// A server, and its figures so far.
pub(super) struct Measured {
    pub target: Target,
    /// Microseconds of CPU for a message; none where the system does not tell.
    pub cpu: Series,
    /// Messages in a second.
    pub rate: Series,
    /// Microseconds.
    pub p50: Series,
    pub p99: Series,
    /// Bytes of memory for each connection that only sits there.
    pub idle_memory: Option<f64>,
    /// System calls for a message of one client.
    pub calls: Option<f64>,
    /// What the rest of the machine did in the rounds, in CPUs.
    pub others: Series,
}

impl Measured {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            cpu: Series::default(),
            rate: Series::default(),
            p50: Series::default(),
            p99: Series::default(),
            idle_memory: None,
            calls: None,
            others: Series::default(),
        }
    }

    /// What does not vary from round to round.
    pub(super) fn once(&mut self, setup: &Setup, strace: Option<&Strace>) -> Result<(), String> {
        self.idle_memory = self.memory_of_the_idle()?;
        if let Some(strace) = strace {
            self.calls = Some(self.calls_for_a_message(setup.load.size, strace)?);
        }
        Ok(())
    }

    /// One client, one message after the other: two runs, so that what is done once drops out.
    fn calls_for_a_message(&self, size: usize, strace: &Strace) -> Result<f64, String> {
        const FIRST: usize = 50;
        const MORE: usize = 250;
        let calls_for = |messages| {
            let traced = strace.start(&self.target, &[])?;
            exchange(traced.server.addr, size, messages).map_err(|why| self.in_words(&why))?;
            traced.finish().map(|trace| trace.calls.len())
        };
        let more = calls_for(MORE)?.saturating_sub(calls_for(FIRST)?);
        Ok(more as f64 / (MORE - FIRST) as f64)
    }

    /// What a connection costs when nothing is said: the growth from few to many.
    fn memory_of_the_idle(&self) -> Result<Option<f64>, String> {
        if self.target.subject.gives < Gives::Answers {
            return Ok(None);
        }
        let server = self.target.start()?;
        let pid = server.process.pid();
        let first = crowd(server.addr, FEW).map_err(|why| self.in_words(&why))?;
        let before = observe::memory_share(pid);
        let more = crowd(server.addr, MANY).map_err(|why| self.in_words(&why))?;
        let after = observe::memory_share(pid);
        drop((first, more));
        Ok(before
            .zip(after)
            .map(|(before, after)| after.saturating_sub(before) as f64 / MANY as f64))
    }

    /// One round: a fresh server, loaded.
    pub(super) fn round(&mut self, setup: &Setup) -> Result<(), String> {
        let server = self.target.start()?;
        let pid = server.process.pid();
        if let Some(cpus) = setup.cpus {
            cpus.fix(pid);
        }
        let clients = setup.idle + setup.load.clients;
        let limited = |why: String| match self.target.subject.exception("many_clients") {
            Some(limit) if clients > FEW + MANY => self.in_words(&format!("{why} ({limit})")),
            _ => self.in_words(&why),
        };
        let silent = crowd(server.addr, setup.idle).map_err(limited)?;
        let mut marks = Vec::new();
        let mark = || marks.push(Used::now(pid));
        let answers = load(server.addr, setup.load, mark).map_err(limited)?;
        drop(silent);
        let messages = answers.messages as f64;
        if messages == 0.0 {
            return Err(self.in_words("no message was answered in time: try --seconds"));
        }
        if let [before, after] = &marks[..] {
            let spent =
                |of: fn(&Used) -> Option<Duration>| Some(of(after)?.saturating_sub(of(before)?));
            if let Some(cpu) = spent(|used| used.server) {
                self.cpu.add(cpu.as_secs_f64() * 1e6 / messages);
                let ours = cpu + spent(|used| used.clients).unwrap_or_default();
                if let Some(all) = spent(|used| used.machine) {
                    let others = all.saturating_sub(ours).as_secs_f64();
                    self.others.add(others / answers.time.as_secs_f64());
                }
            }
        }
        self.rate.add(answers.per_second());
        self.p50.add(answers.latency(0.5).as_secs_f64() * 1e6);
        self.p99.add(answers.latency(0.99).as_secs_f64() * 1e6);
        Ok(())
    }

    fn in_words(&self, why: &str) -> String {
        format!("{}: {why}", self.target.name)
    }
}

/// CPU time used so far.
struct Used {
    server: Option<Duration>,
    clients: Option<Duration>,
    machine: Option<Duration>,
}

impl Used {
    fn now(server: i32) -> Self {
        Self {
            server: observe::cpu_clock(server),
            clients: observe::cpu_clock(0),
            machine: observe::machine_time(),
        }
    }
}
