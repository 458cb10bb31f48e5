//! What the pages show is what happens: every marked transcript is done again. `docs_damage.rs`
//! does the quick checks; here programs run, and a page of its own shows that a wrong word is
//! found.

use judge::reading::root;
use press::{bless, check, replay};
use std::fs;
use tempfile::TempDir;

#[test]
fn the_transcripts_are_what_happens() {
    let replay = replay(&root(), false).expect("the documents can be read");
    for left_out in &replay.left_out {
        println!("left out: {left_out}");
    }
    let problems: Vec<_> = replay.problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    assert!(replay.compared > 0 || !replay.left_out.is_empty(), "the course has transcripts");
}

/// What a client, a held server and a command show, with ports of long ago.
const PAGE: &str = "\
# Run it

<!-- run: select | a connects; b connects; server stops; b says 2; a says 1; server continues -->
```text
ready: readable [4, 5], writable [], exceptional []
received b'1' from 127.0.0.1:1111
received b'2' from 127.0.0.1:2222
…
sending b'1' to 127.0.0.1:1111
```

<!-- output -->
```console
$ echo one; cat <<'END'
two
END
one
two
$ true
```

<!-- output, any numbers -->
```console
$ echo $$ is a number
12 is a number
```
";

/// A course of one page in both languages, in a folder that goes away with it.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(TempDir::new().expect("a folder"));
        project.write("Cargo.toml", "[workspace]\nmembers = [\"select\"]\n");
        project.write("select/Cargo.toml", "[package]\nname = \"select\"\n");
        project.write("select/src/main.rs", "fn main() {}\n");
        project.write("docs/en/01-a.md", PAGE);
        project.write("docs/zh/01-a.md", PAGE);
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("its folder");
        fs::write(path, text).expect("a file of the copy");
    }

    fn replay(&self, bless: bool) -> Vec<String> {
        let replay = replay(self.0.path(), bless).expect("the copy can be read");
        if !cfg!(target_os = "linux") {
            assert_eq!(replay.compared, 0);
        }
        replay.problems.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn a_changed_word_is_found_and_mended_and_nothing_else_is_touched() {
    if !cfg!(target_os = "linux") {
        return println!("not tried: the transcripts are from Linux");
    }
    let project = Project::new();
    assert_eq!(project.replay(false), [""; 0], "the undamaged page holds");

    let damaged = PAGE.replace("readable [4, 5]", "readable [5, 4]").replace("\none\n", "\nwon\n");
    project.write("docs/zh/01-a.md", &damaged);
    let problems = project.replay(false);
    let places: Vec<_> = problems.iter().map(|problem| problem.split(": ").next()).collect();
    assert_eq!(places, [Some("docs/zh/01-a.md:5"), Some("docs/zh/01-a.md:17")]);
    assert!(problems[0].contains("“ready: readable [4, 5],"), "{}", problems[0]);
    assert!(problems[1].contains("“one”"), "{}", problems[1]);

    assert_eq!(project.replay(true), [""; 0]);
    let mended = fs::read_to_string(project.0.path().join("docs/zh/01-a.md")).expect("still there");
    assert_eq!(project.replay(false), [""; 0]);
    // The ports of the run stand in the lines that were written anew, and only there.
    let new: Vec<_> = mended.lines().filter(|line| !PAGE.contains(line)).collect();
    assert!(new.iter().all(|line| line.starts_with("received b'")), "{new:#?}");
}

#[test]
fn a_comment_that_is_not_understood_is_found_without_running_anything() {
    let project = Project::new();
    bless(project.0.path(), false).expect("the copy can be written");
    for (old, new, line, words) in [
        ("run: select", "run: selekt", 3, "there is no program selekt"),
        ("server stops", "server waits", 3, "“server waits” is no step"),
        ("-->\n```text", "-->\n\n```text", 3, "block at the margin has to follow at once"),
        ("<!-- output -->\n```console", "<!-- output -->\n```text", 12, "which commands"),
        ("any numbers", "all numbers", 22, "`any numbers`"),
    ] {
        let damaged = PAGE.replacen(old, new, 1);
        project.write("docs/en/01-a.md", &damaged);
        let problems = check(project.0.path()).expect("the copy can be read");
        let place = format!("docs/en/01-a.md:{line}: ");
        let found = problems.iter().map(ToString::to_string);
        let found = found.filter(|p| p.starts_with(&place) && p.contains(words)).count();
        assert_eq!(found, 1, "{place}{words}: {problems:#?}");
    }
}
