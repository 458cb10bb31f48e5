//! `lab claims`, `lab bench` and `lab scaling`, as one types them: what they print is what they
//! measured, and their exit status says whether it is as it should be.

#[cfg(target_os = "linux")]
use std::collections::HashMap;
use std::process::{Command, Output, Stdio};
#[cfg(target_os = "linux")]
use tempfile::TempDir;

fn lab(words: &[&str]) -> Output {
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    // The report follows the language of the locale.
    lab.env("LC_ALL", "C");
    lab.args(words).stdin(Stdio::null()).output().expect("lab runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one line on standard error of a command that ends with this status.
fn complaint(words: &[&str], status: i32) -> String {
    let output = lab(words);
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{words:?}: {line}");
    assert!(line.lines().count() == 1 && line.starts_with("lab: "), "{words:?}: {line}");
    line
}

#[test]
fn claims_are_listed_and_judged_in_both_languages() {
    let list = lab(&["claims"]);
    assert!(list.status.success() && out(&list).contains("backlog"), "{}", out(&list));
    for (language, verdict, hold) in
        [("en", "wrong", "verdicts: 2 hold"), ("zh", "错误", "结论：成立 2 条")]
    {
        let judged = lab(&["claims", "backlog", "--lang", language]);
        let text = out(&judged);
        assert!(judged.status.success(), "{text}");
        assert!(text.contains(verdict) && text.contains("listen(5)"), "{text}");
        assert!(text.contains(hold), "{text}");
    }
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    assert!(complaint(&["claims", "nothing"], 2).contains("backlog"));
    assert!(complaint(&["bench", "nothing"], 2).contains("select"));
    assert!(complaint(&["scaling", "nothing"], 2).contains("select"));
    assert!(complaint(&["bench", "blocking"], 2).contains("--clients 1"));
    assert!(complaint(&["bench", "--vs", "sh -c 'exit 3'"], 1).contains("exit status 3"));
    assert!(complaint(&["scaling", "select", "-o", "/dev/null"], 1).contains("cannot write"));
}

/// The figures are the sum of what was seen: rates, latencies and CPU times that fit together.
#[cfg(target_os = "linux")]
#[test]
fn the_figures_of_a_bench_fit_together() {
    let words =
        ["bench", "select", "poll", "--clients", "4", "--rounds", "1", "--seconds", "0.2", "--csv"];
    let output = lab(&words);
    let text = out(&output);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().expect("a header").split(',').collect();
    let rows: Vec<HashMap<_, _>> =
        lines.map(|line| names.iter().copied().zip(line.split(',')).collect()).collect();
    let servers: Vec<_> = rows.iter().map(|row| row["server"]).collect();
    assert_eq!(servers, ["\"select\"", "\"poll\""]);
    for row in &rows {
        let figure = |name: &str| -> f64 { row[name].parse().expect(name) };
        let (rate, p50, p99) = (figure("messages_per_s"), figure("p50_us"), figure("p99_us"));
        assert!(0.0 < p50 && p50 <= p99, "{text}");
        // Four clients, each with one message under way: no more than 4 / p50 in a second, but for
        // half of them, which are quicker.
        assert!(rate > 0.0 && rate < 4.0 * 2.0 * 1e6 / p50, "{text}");
        // One thread cannot use more than a second of CPU in a second.
        let cpu = figure("cpu_us_per_message") * rate;
        assert!((1.0..=1.1e6).contains(&cpu), "{cpu} µs of CPU in a second:\n{text}");
    }
    assert_eq!(rows[0]["cpu_ratio"], "1.000");
}

/// A stream: as many messages as are said are under way, and what is loaded how stands below.
#[cfg(target_os = "linux")]
#[test]
fn a_bench_of_streams_says_what_it_loads_in_both_languages() {
    for (language, words) in [("en", "8 of each under way"), ("zh", "各有 8 条同时在途")] {
        let load = ["--clients", "2", "--pipeline", "8", "--size", "16384", "--chunk", "65536"];
        let rest = ["--rounds", "1", "--seconds", "0.1", "--lang", language];
        let output = lab(&[&["bench", "poll"][..], &load, &rest].concat());
        let text = out(&output);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(words) && text.contains("--chunk 65536"), "{text}");
    }
}

/// A row for each call and each number of sockets, and ratios that are those of its figures.
#[test]
fn the_calls_of_selector_libraries_are_compared_in_both_languages() {
    for (language, wake) in [("en", "wake, same thread"), ("zh", "唤醒，同一线程")] {
        let output = lab(&["selectors", "--most", "150", "--rounds", "1", "--lang", language]);
        let text = out(&output);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        for call in ["register", "modify", "unregister", wake] {
            let rows = text.lines().filter_map(|line| line.trim().strip_prefix(call));
            // What this machine does not have (epoll, Python) is a dash.
            let figure = |word: &str| word.parse().unwrap_or(f64::NAN);
            let rows: Vec<Vec<f64>> =
                rows.map(|row| row.split_whitespace().map(figure).collect()).collect();
            let others: Vec<_> = rows.iter().map(|row| row[0]).collect();
            assert_eq!(others, [1.0, 100.0, 150.0], "{call}:\n{text}");
            for row in rows {
                let [ours, polling, mio] = [row[1], row[3], row[4]];
                assert!(ours.min(polling).min(mio) > 0.0, "{call}:\n{text}");
                // Both are rounded, but no call takes less than a hundred nanoseconds.
                let [to_polling, to_mio] = [row[7] / (ours / polling), row[8] / (ours / mio)];
                assert!((to_polling - 1.0).abs() < 0.05, "{call}:\n{text}");
                assert!((to_mio - 1.0).abs() < 0.05, "{call}:\n{text}");
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn scaling_writes_its_points_and_their_picture() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_str().expect("a plain name");
    let output = lab(&["scaling", "poll", "--most", "150", "--times", "1", "--output", path]);
    let text = out(&output);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let points = read("scaling.csv");
    let silent: Vec<_> = points.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(silent, ["0", "100", "150"], "{points}");
    assert!(read("scaling.en.svg").contains("poll ×"));
    // Three looks at 150 clients cost more than three looks at none, on any machine.
    let costs: Vec<f64> =
        points.lines().skip(1).filter_map(|line| line.split(',').nth(2)?.parse().ok()).collect();
    assert!(costs[2] > costs[0], "{points}");
}

/// A server may be a shell that runs the real one: killed, the laboratory leaves neither behind.
#[cfg(target_os = "linux")]
#[test]
fn nothing_outlives_a_killed_laboratory() {
    use std::time::{Duration, Instant};
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("pid");
    let server = format!("sh -c 'sleep 600 & echo $! > {}; wait'", file.display());
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["bench", "--vs", &server])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("lab runs");
    let patience = Instant::now() + Duration::from_secs(20);
    let wait = |what: &str| {
        assert!(Instant::now() < patience, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    };
    let pid = loop {
        match std::fs::read_to_string(&file) {
            Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
            _ => wait("the server does not start"),
        }
    };
    lab.kill().expect("it is running");
    lab.wait().expect("it is our child");
    // A zombie that nobody has waited for yet has no command line any more.
    let command = format!("/proc/{pid}/cmdline");
    while std::fs::read(&command).is_ok_and(|words| !words.is_empty()) {
        wait("it is still there");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = lab.arg("claims").stdout(full).output().expect("lab runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && words.starts_with("lab: cannot write"), "{words}");
}
