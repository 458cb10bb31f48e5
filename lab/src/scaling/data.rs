//! The points of `lab scaling`, measured and as a file: five fields without quotes,
//! which need no library.

use claims::measure::Series;
use std::io::{self, Write};

const HEADER: &str = "server,silent,cpu_us_median,cpu_us_least,cpu_us_most";

/// What one message cost a server beside so many silent connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub server: String,
    pub silent: usize,
    /// Microseconds of CPU.
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

/// All points of all servers, those of a server in order.
#[derive(Clone, Debug, Default)]
pub struct Data {
    rows: Vec<Row>,
    rounds: Vec<Series>,
}

impl Data {
    /// One more round of one point.
    pub(super) fn add(&mut self, server: &str, silent: usize, cpu: f64) {
        let same = |row: &Row| row.server == server && row.silent == silent;
        let index = self.rows.iter().position(same).unwrap_or_else(|| {
            let server = server.to_owned();
            self.rows.push(Row { server, silent, median: cpu, least: cpu, most: cpu });
            self.rounds.push(Series::default());
            self.rows.len() - 1
        });
        let series = &mut self.rounds[index];
        series.add(cpu);
        let (median, spread) = (series.median(), series.spread());
        if let (Some(median), Some((least, most))) = (median, spread) {
            self.rows[index] = Row { median, least, most, ..self.rows[index].clone() };
        }
    }

    pub fn of(&self, server: &str) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.server == server)
    }

    /// The servers, in the order in which they were measured.
    pub fn servers(&self) -> Vec<&str> {
        let mut servers: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !servers.contains(&row.server.as_str()) {
                servers.push(&row.server);
            }
        }
        servers
    }

    pub(super) fn write(&self, mut file: impl Write) -> io::Result<()> {
        writeln!(file, "{HEADER}")?;
        for Row { server, silent, median, least, most } in &self.rows {
            writeln!(file, "{server},{silent},{median:.3},{least:.3},{most:.3}")?;
        }
        Ok(())
    }

    /// Reads what `write` has written.
    ///
    /// # Errors
    ///
    /// The line that is not understood, or cannot have been measured; or that there is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut data = Self::default();
        for line in text.lines().filter(|line| *line != HEADER) {
            let row = Row::parse(line).ok_or_else(|| format!("not a point: {line}"))?;
            data.rows.push(row);
        }
        if data.rows.is_empty() {
            return Err("no points".to_owned());
        }
        Ok(data)
    }
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(',');
        let server = fields.next()?.to_owned();
        let silent = fields.next()?.parse().ok()?;
        let mut figure = || fields.next()?.parse::<f64>().ok();
        let row = Self { server, silent, median: figure()?, least: figure()?, most: figure()? };
        // More connections than a machine has ports, or a message that took no time, or a year of
        // it: not measured, and not to be drawn.
        let possible = row.silent < 10_000_000
            && 0.001 < row.least
            && row.least <= row.median
            && row.median <= row.most
            && row.most < 1e13;
        (possible && fields.next().is_none()).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut data = Data::default();
        for (server, silent, cpu) in
            [("poll", 0, 9.0), ("poll", 100, 16.5), ("epoll", 0, 8.25), ("poll", 100, 15.5)]
        {
            data.add(server, silent, cpu);
        }
        assert_eq!(data.servers(), ["poll", "epoll"]);
        let crowded = data.of("poll").nth(1).expect("two points");
        assert_eq!((crowded.least, crowded.median, crowded.most), (15.5, 16.0, 16.5));
        let mut file = Vec::new();
        data.write(&mut file).expect("memory");
        let text = String::from_utf8(file).expect("ASCII");
        assert_eq!(Data::parse(&text).expect("our own file").rows, data.rows);
    }

    #[test]
    fn a_line_that_is_no_point_is_named() {
        for line in [
            "poll,1,2",
            "poll,many,1,1,1",
            "poll,1,1,1,1,1",
            "poll,1,1,1,inf",
            "poll,1,NaN,1,1",
            "poll,1,0,0,0",
            "poll,1,3,2,1",
            "poll,99999999999,1,1,1",
        ] {
            let why = Data::parse(line).expect_err("no point");
            assert!(why.contains(line), "{why}");
        }
        for nothing in ["", HEADER] {
            Data::parse(nothing).expect_err("no points");
        }
    }
}
