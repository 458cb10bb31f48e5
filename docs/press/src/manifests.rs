//! What `cargo run` can run here: the packages of the workspace, their binaries and their examples.

use super::{names, read};
use std::path::Path;

/// A package of the workspace.
pub(super) struct Package {
    pub name: String,
    pub binaries: Vec<String>,
    pub examples: Vec<String>,
    /// `default-run`: what `cargo run -p NAME` runs where there are several.
    default: Option<String>,
}

impl Package {
    /// Whether `cargo run -p NAME` knows what to run.
    pub fn runs(&self) -> bool {
        self.default.is_some() || self.binaries.len() == 1
    }
}

/// The members of the workspace under `root`.
pub(super) fn packages(root: &Path) -> Vec<Package> {
    let workspace = read(root, "Cargo.toml").unwrap_or_default();
    let members = value(&workspace, "[workspace]", "members").unwrap_or_default();
    // The quoted words of ["client", "common"].
    members.split('"').skip(1).step_by(2).filter_map(|member| package(root, member)).collect()
}

fn package(root: &Path, member: &str) -> Option<Package> {
    let manifest = read(root, &format!("{member}/Cargo.toml")).ok()?;
    let name = unquoted(&value(&manifest, "[package]", "name")?);
    let programs = |folder: &str| -> Vec<_> {
        let files = names(root, &format!("{member}/{folder}"));
        files.iter().map(|file| file.strip_suffix(".rs").unwrap_or(file).to_owned()).collect()
    };
    let (mut binaries, examples) = (programs("src/bin"), programs("examples"));
    if root.join(member).join("src/main.rs").is_file() {
        binaries.push(name.clone());
    }
    let default = value(&manifest, "[package]", "default-run").map(|v| unquoted(&v));
    Some(Package { name, binaries, examples, default })
}

fn unquoted(text: &str) -> String {
    text.trim_matches('"').to_owned()
}

/// `key` of a table of a manifest; an array may run over several lines. Cargo has checked the
/// syntax before this runs, so that these few forms are enough.
fn value(manifest: &str, table: &str, key: &str) -> Option<String> {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != table).skip(1);
    let mut value = lines.by_ref().take_while(|line| !line.starts_with('[')).find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })?;
    while value.starts_with('[') && !value.ends_with(']') {
        value.push_str(lines.next()?);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_far_as_needed() {
        let text = "[workspace]\nmembers = [\n  \"a\",\n  \"b\",\n]\n\n[package]\n#default-run = \"x\"\nname = \"c\"\n";
        assert_eq!(value(text, "[workspace]", "members").as_deref(), Some("[\"a\",\"b\",]"));
        assert_eq!(value(text, "[package]", "name").map(|v| unquoted(&v)).as_deref(), Some("c"));
        assert_eq!(value(text, "[package]", "default-run"), None);
        assert_eq!(value(text, "[workspace]", "name"), None);
    }

    #[test]
    fn this_workspace_runs_lab() {
        let packages = packages(&judge::reading::root());
        let lab = packages.iter().find(|p| p.name == "lab").expect("lab is a member");
        assert!(lab.runs() && lab.binaries == ["lab"]);
    }
}
